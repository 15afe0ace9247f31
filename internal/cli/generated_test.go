package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/config"
)

var update = flag.Bool("update", false, "write the generated files anew")

// root is the repository's, from this package.
const root = "../.."

// TestGeneratedFiles holds the files that are derived from the code against it.
// `make generate` writes them.
func TestGeneratedFiles(t *testing.T) {
	files := map[string]string{
		".env.example": config.EnvExample(),
		optionsFile:    withOptions(t),
	}
	for file, shell := range map[string]string{
		"tykctl.bash": "bash", "_tykctl": "zsh", "tykctl.fish": "fish", "tykctl.ps1": "powershell",
	} {
		files[filepath.Join("completions", file)] = stdout(t, "completion", shell)
	}
	for name, want := range files {
		path := filepath.Join(root, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, path); got != want {
			t.Errorf("%s is stale: run `make generate`", name)
		}
	}
}

// optionsFile has the table of options.
var optionsFile = filepath.Join("docs", "configuration.md")

// withOptions is that file with the table made from the declarations.
func withOptions(t *testing.T) string {
	t.Helper()
	const begin, end = "<!-- options: made by `make generate` -->\n", "<!-- end of options -->"
	text := read(t, filepath.Join(root, optionsFile))
	head, rest, ok := strings.Cut(text, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the options, between %q and %q", optionsFile, begin, end)
	}
	return head + begin + strings.TrimRight(config.Reference(), "\n") + "\n" + end + tail
}

// stdout runs a command that must succeed.
func stdout(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	a := &Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return nil }, Now: time.Now}
	if code := a.Run(t.Context(), args); code != ExitOK {
		t.Fatalf("%v: exit %d: %s", args, code, errs.String())
	}
	return out.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
