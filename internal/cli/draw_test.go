package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/term"
)

// TestFrames draws what a watch shows; the files hold it line by line, colours
// written as they are sent.
func TestFrames(t *testing.T) {
	some := desk.Standing{APIKey: "KlL1cH2sQpuaxBvV2w9Tjg", Algorithm: "fixed_window", Limit: 10, Window: 60, Used: 7, Remaining: 3, ResetsIn: 42, Refused: 0}
	none, spent, lowered, closed, hardly, almost := some, some, some, some, some, some
	none.Used, none.Remaining = 0, 10
	spent.Used, spent.Remaining, spent.Refused = 10, 0, 123
	lowered.Used, lowered.Limit, lowered.Remaining = 7, 5, 0
	closed.Limit, closed.Used, closed.Remaining = 0, 0, 0
	hardly.Limit, hardly.Used, hardly.Remaining = 999_999_999_999_999, 1, 999_999_999_999_998
	almost.Limit, almost.Used, almost.Remaining = 999_999_999_999_999, 999_999_999_999_998, 1
	long := some
	long.APIKey = strings.Repeat("abcdefghij", 12) + "abcdefgh"
	away := "127.0.0.1:6379: redis is unavailable (connection): dial tcp 127.0.0.1:6379: connect: connection\trefused\x1b[2J"

	for name, tt := range map[string]struct {
		frame         frame
		width, height int
		colour        bool
	}{
		"80 columns":       {frame{usage: some}, 80, 24, false},
		"40 columns":       {frame{usage: long}, 40, 24, false},
		"20 columns":       {frame{usage: some}, 20, 24, false},
		"8 columns":        {frame{usage: some}, 8, 24, false},
		"1 column":         {frame{usage: some}, 1, 24, false},
		"4 rows":           {frame{usage: some}, 80, 4, false},
		"1 row":            {frame{usage: some}, 80, 1, false},
		"green":            {frame{usage: some}, 80, 24, true},
		"yellow":           {frame{usage: almost}, 80, 24, true},
		"red":              {frame{usage: spent}, 80, 24, true},
		"1 row in colour":  {frame{usage: spent}, 80, 1, true},
		"nothing used":     {frame{usage: none}, 80, 24, false},
		"hardly anything":  {frame{usage: hardly}, 80, 24, false},
		"all but nothing":  {frame{usage: almost}, 80, 24, false},
		"limit lowered":    {frame{usage: lowered}, 80, 24, false},
		"limit of none":    {frame{usage: closed}, 80, 24, false},
		"away":             {frame{some, away}, 80, 24, false},
		"away 40 columns":  {frame{some, away}, 40, 24, false},
		"away 200 columns": {frame{some, away}, 200, 24, false},
	} {
		t.Run(name, func(t *testing.T) {
			lines := tt.frame.draw(tt.width, tt.height, tt.colour)
			if len(lines) > max(tt.height-1, 1) {
				t.Errorf("%d lines on a terminal of %d", len(lines), tt.height)
			}
			for _, line := range lines {
				bare := strings.NewReplacer(term.Green, "", term.Yellow, "", term.Red, "", term.Plain, "").Replace(line)
				if n := len([]rune(bare)); n > max(tt.width-1, 1) {
					t.Errorf("%d columns on a terminal of %d: %q", n, tt.width, line)
				}
			}
			golden(t, filepath.Join("testdata", "watch", strings.ReplaceAll(name, " ", "-")+".golden"), strings.ReplaceAll(strings.Join(lines, "\n"), "\x1b", "ESC")+"\n")
		})
	}
}

// golden compares with a file, which -update writes anew.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, path); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", path, got, want)
	}
}

// TestDrawingWritesInPlace follows the cursor over several drawings.
func TestDrawingWritesInPlace(t *testing.T) {
	var out strings.Builder
	width := 80
	d := &term.Drawing[desk.Standing]{Out: &out, Size: func() (int, int) { return width, 24 }, Draw: drawUsage}
	written := func() string { s := out.String(); out.Reset(); return s }

	d.Resize()
	d.End()
	if s := written(); s != "" {
		t.Errorf("before there is anything to show: %q", s)
	}
	_ = d.Show(desk.Standing{})
	first := written()
	if !strings.HasPrefix(first, term.CursorHide+"\rapi_key:") || !strings.HasSuffix(first, "\r\x1b[8A") || strings.Count(first, "\n") != 8 {
		t.Errorf("first: %q", first)
	}
	_ = d.Show(desk.Standing{})
	if s := written(); s != strings.TrimPrefix(first, term.CursorHide) {
		t.Errorf("again: %q", s)
	}
	width = 40
	d.Resize()
	if s := written(); !strings.HasPrefix(s, "\r"+term.EraseBelow+"\rapi_key:") {
		t.Errorf("with another width: %q", s)
	}
	d.End()
	if s := written(); !strings.HasSuffix(s, "\n"+term.EraseBelow+term.CursorShow) || strings.Contains(s, "\x1b[8A") || strings.Contains(s, "Ctrl-C") {
		t.Errorf("last: %q", s)
	}
}
