package term

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 20, []string{""}},
		{"short", 20, []string{"short"}},
		{"no terminal, so no folding at all", 0, []string{"no terminal, so no folding at all"}},
		{"too narrow to fold", minText - 1, []string{"too narrow to fold"}},
		{"breaks at blanks that are near", 12, []string{"breaks at", "blanks that", "are near"}},
		{"exactly ten", 11, []string{"exactly ten"}},
		{"a " + strings.Repeat("x", 25), 10, []string{"a", "xxxxxxxxxx", "xxxxxxxxxx", "xxxxx"}},
		{"größer als zehn Zeichen", 10, []string{"größer als", "zehn", "Zeichen"}},
	} {
		got := fold(tt.text, tt.width)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q at %d: %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

// A terminal of 40 columns, of which none may be passed.
func TestSheetOnANarrowTerminal(t *testing.T) {
	var b strings.Builder
	s := &Sheet{To: &b, Width: 40}
	s.Title("claims")
	s.Row("allowed_routes", "/api/v1/test, /api/v1/test2, GET /users/*")
	s.Mark("✗", "route", "GET /x is not among /api/v1/test, /api/v1/test2")
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if want := "\nclaims\n  allowed_routes  /api/v1/test,\n                  /api/v1/test2, GET\n                  /users/*\n"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("got %s", b.String())
	}
}

// On one that has no room beside a name, texts stand beneath.
func TestSheetOnATerminalNarrowerThanThat(t *testing.T) {
	var b strings.Builder
	s := &Sheet{To: &b, Width: 25}
	s.Mark("✗", "route", "GET /x is not among /api/v1/test")
	s.Row("signature", "")
	if want := "✗ route\n    GET /x is not among\n    /api/v1/test\n  signature\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestSheetPaintsOnlyWhereAsked(t *testing.T) {
	for _, colour := range []bool{true, false} {
		s := &Sheet{Colour: colour}
		if got := strings.Contains(s.Paint(Red, "✗"), "\x1b"); got != colour {
			t.Errorf("colour %t: %q", colour, s.Paint(Red, "✗"))
		}
	}
}

// JSON that is made safe still says the same.
func TestSafeJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{ "a" : 1.0 }`:    `{"a":1.0}`,
		"\"\u009b31m\"":    `"\u009b31m"`,
		"\"\u202e\x7f\"":   `"\u202e\u007f"`,
		"\"\U000e0001<&\"": `"\udb40\udc01<&"`,
		"\"\xff\"":         `"\ufffd"`,
		`"é 日本 😀"`:         `"é 日本 😀"`,
		`{`:                `null`,
	} {
		got := string(SafeJSON([]byte(text)))
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		var a, b any
		if json.Unmarshal([]byte(text), &a) == nil && (json.Unmarshal([]byte(got), &b) != nil || !reflect.DeepEqual(a, b)) {
			t.Errorf("%q now means %v", text, b)
		}
	}
}
