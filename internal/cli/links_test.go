package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchorPattern  = regexp.MustCompile(`<a id="([^"]+)">`)
	fencePattern   = regexp.MustCompile("(?ms)^```.*?^```$")
)

// TestLinks follows every relative link and anchor in the papers.
func TestLinks(t *testing.T) {
	papers, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "internal/bench/README.md"} {
		papers = append(papers, filepath.Join(root, name))
	}
	links := 0
	for _, paper := range papers {
		for _, link := range linkPattern.FindAllStringSubmatch(prose(t, paper), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			links++
			if fault := follow(t, paper, link[1]); fault != "" {
				t.Errorf("%s: (%s): %s", paper, link[1], fault)
			}
		}
	}
	if links < 20 {
		t.Errorf("found %d links only", links)
	}
}

// follow says what is wrong with a link from a paper, or "".
func follow(t *testing.T, paper, link string) string {
	t.Helper()
	path, anchor, hasAnchor := strings.Cut(link, "#")
	target := paper
	if path != "" {
		target = filepath.Join(filepath.Dir(paper), path)
	}
	if _, err := os.Stat(target); err != nil {
		return "no such file"
	}
	if hasAnchor && !anchors(prose(t, target))[anchor] {
		return "no such heading or <a id>"
	}
	return ""
}

// anchors are the names that a link may have after #, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, a := range anchorPattern.FindAllStringSubmatch(text, -1) {
		found[a[1]] = true
	}
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, h := range headingPattern.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")
		again := name
		for n := 1; found[again]; n++ {
			again = fmt.Sprintf("%s-%d", name, n)
		}
		found[again] = true
	}
	return found
}

// prose is a file without its blocks of code, in which # and ]( mean something else.
func prose(t *testing.T, path string) string {
	t.Helper()
	return fencePattern.ReplaceAllString(read(t, path), "")
}
