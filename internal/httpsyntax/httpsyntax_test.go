package httpsyntax_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

func TestParseField(t *testing.T) {
	for line, want := range map[string]string{ // name|value, or "" if not valid
		"accept: a":              "Accept|a",
		"ACCEPT:a":               "Accept|a",
		"Accept: \t a b \t":      "Accept|a b",
		"Accept:":                "Accept|",
		"Accept: a: b":           "Accept|a: b",
		"X-Snow: \xe2\x98\x83":   "X-Snow|\xe2\x98\x83",
		"":                       "",
		"Accept":                 "",
		": a":                    "",
		"Accept : a":             "",
		" Accept: a":             "",
		"\tfolded: into the one": "",
		"Accépt: a":              "",
		"A(c): a":                "",
		"Accept: a\x00b":         "",
		"Accept: a\rb":           "",
		"Accept: a\nb":           "",
		"Accept: a\x7fb":         "",
	} {
		name, value, ok := httpsyntax.ParseField(line)
		got := ""
		if ok {
			got = name + "|" + value
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// A header is found alike in however many pieces it arrives.
func TestScanHead(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		size int // of the header; 0 if its end is not there
		err  error
	}{
		{raw: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", size: 27},
		{raw: "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n", size: 27},
		{raw: "GET / HTTP/1.1\r\n\r\n\n", size: 18},
		{raw: "\r\n", size: 2},
		{raw: "GET / HTTP/1.1\r\nHost: x\r\n"},
		{raw: "GET / HTTP/1.1\r\nHost: x\r\n\r"},
		{raw: "GET / HTTP/1.1\nHost: x\r\n\r\n", err: httpsyntax.ErrBareLF},
		{raw: "GET / HTTP/1.1\r\nHost: x\r\n\n", err: httpsyntax.ErrBareLF},
		{raw: "\n", err: httpsyntax.ErrBareLF},
		{raw: ""},
	} {
		for piece := 1; piece <= max(len(tt.raw), 1); piece++ {
			var scanned int
			var ended bool
			var err error
			for have := 0; have < len(tt.raw) && !ended && err == nil; {
				have = min(have+piece, len(tt.raw))
				scanned, ended, err = httpsyntax.ScanHead([]byte(tt.raw[:have]), scanned)
			}
			if ended != (tt.size > 0) || ended && scanned != tt.size || !errors.Is(err, tt.err) {
				t.Errorf("%q in pieces of %d: %d, %v, %v", tt.raw, piece, scanned, ended, err)
			}
		}
	}
}

func TestDisguised(t *testing.T) {
	for name, want := range map[string]bool{
		"Content-Length": false, "CONTENT-LENGTH": false, "Transfer-Encoding": false,
		"Content-Type": false, "Content-Lengths": false, "Te": false, "-": false, "Content-Encoding": false, "X-Content-Length": false,
		"Content.length": true, "Contentlength": true, "Content--Length": true, "7Content-Length": true, "Content-Length~": true,
		"Transfer---Encoding": true, "TRANSFER_ENCODING": true, "Transferencoding": true, "Transfer-Encoding'": true,
	} {
		if got := httpsyntax.Disguised(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzParseField(f *testing.F) {
	f.Add("Accept: a")
	f.Add(" folded")
	f.Fuzz(func(t *testing.T, line string) {
		name, value, ok := httpsyntax.ParseField(line)
		if !ok {
			return
		}
		if strings.ContainsAny(name+value, "\r\n\x00") || strings.Trim(value, " \t") != value {
			t.Fatalf("%q: %q, %q", line, name, value)
		}
		if again, same, ok := httpsyntax.ParseField(name + ": " + value); !ok || again != name || same != value {
			t.Errorf("%q is read as %q: %q, and that as %q: %q", line, name, value, again, same)
		}
	})
}
