package inbound_test

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tykctl/tykctl/internal/inbound"
)

func TestTargetAccepted(t *testing.T) {
	longest := "/" + strings.Repeat("a", 8<<10-1)
	tests := []struct{ target, path, query string }{
		{"/", "/", ""},
		{"/api/v1/test", "/api/v1/test", ""},
		{"/dir/", "/dir/", ""},
		{"/pkg.Service/Method", "/pkg.Service/Method", ""},
		{"/.well-known/...", "/.well-known/...", ""},
		{"/..a/b../.c", "/..a/b../.c", ""},
		{"/a%20b", "/a%20b", ""},
		{"/a%2Bb%3A", "/a%2Bb%3A", ""},
		{"/caf%C3%A9", "/caf%C3%A9", ""},
		{"/%e2%82%ac/%F0%9F%98%80", "/%e2%82%ac/%F0%9F%98%80", ""},
		{"/%EF%BF%BD", "/%EF%BF%BD", ""},
		{"/a:b@c!$&'()*+,=~|^{}", "/a:b@c!$&'()*+,=~|^{}", ""},
		{"/*", "/*", ""},
		{"/a?", "/a", "?"},
		{"/a?b=c", "/a", "?b=c"},
		{"/a??b/../c//d;e%zz%2f\\", "/a", "??b/../c//d;e%zz%2f\\"},
		{"/a?\xff", "/a", "?\xff"},
		{longest, longest, ""},
	}
	for _, tt := range tests {
		r := ordinary()
		r.RequestURI = tt.target
		got, err := read(r)
		if err != nil {
			t.Errorf("target %q: %v", tt.target, err)
			continue
		}
		if got.Path != tt.path || got.Query != tt.query {
			t.Errorf("target %q is read as %q and %q, want %q and %q", tt.target, got.Path, got.Query, tt.path, tt.query)
		}
	}
}

func TestTargetRefused(t *testing.T) {
	tests := []struct {
		says    string
		targets []string
	}{
		{"start with a slash", []string{"", "*", "evil:80", "http://evil/x", "HTTP://evil", "a/b", "?x", `\a`, " /a"}},
		{"dot segment", []string{"/.", "/..", "/./", "/../", "/a/./b", "/pub/../x", "/x/..", "/x/.", "/a/..?b"}},
		{"empty segment", []string{"//", "//x", "/a//b", "/a//", "//evil/x", "/a//?b"}},
		{"send it unencoded", []string{"/%61dmin", "/admi%6E", "/%30", "/a%2Db", "/a%5fb", "/%7euser", "/%5A"}},
		{"backslash", []string{`/\`, `/a\..\b`}},
		{"semicolon", []string{"/;", "/a;v=1", "/..;/a"}},
		{"fragment", []string{"/#", "/a#b", "/a?b#c"}},
		{"encoded dot", []string{
			"/%2e", "/%2E%2e/a", "/a/.%2e/b", "/a%2eb", "/%2f", "/a%2Fb", "/%5c", "/%5C", "/%25", "/%252e", "/%23", "/%3f", "/%3F", "/%3b", "/%3B",
		}},
		{"encoded control character", []string{"/%00", "/%0d", "/%0A", "/a%0d%0aX:y", "/%09", "/%1f", "/%7f", "/%7F"}},
		{"two hexadecimal digits", []string{"/%", "/%2", "/%zz", "/a%g0b", "/%0", "/% 41", "/%%41", "/%4?1", "/%4g", "/%g4", "/%u0041"}},
		{"not UTF-8", []string{
			"/%ff", "/%c0%ae", "/%C0%AF", "/%e0%80%ae", "/%f0%80%80%ae", "/%80", "/%c3", "/%c3a", "/%c3xa9", "/%c3/%a9", "/%c3%41",
			"/%ed%a0%80", "/%f4%90%80%80", "/%f8%88%80%80%80", "/%e2%82", "/%e2%82?", "/%e2%82%2", "/%e2%82x%ac",
		}},
		{"a space, a control character", []string{"/a b", "/a\tb", "/\x00", "/a\r\nb", "/\x7f", "/\x80", "/caf\xc3\xa9", "/\xff"}},
		{"the query contains a space", []string{"/a?b c", "/a?\x00", "/a?b\r\nX: y", "/a?\x7f", "/a?\t"}},
	}
	for _, tt := range tests {
		for _, target := range tt.targets {
			r := ordinary()
			r.RequestURI = target
			_, err := read(r)
			if !errors.Is(err, inbound.ErrMalformed) {
				t.Errorf("target %q: error %v, want ErrMalformed", target, err)
			} else if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("target %q: error %q does not say %q", target, err, tt.says)
			}
		}
	}
}

// The same through net/http's own parser, which lets all of these pass.
func TestTargetRefusedOnTheWire(t *testing.T) {
	for line, want := range map[string]error{
		"GET http://evil/x HTTP/1.1":                          inbound.ErrMalformed,
		"GET evil:80 HTTP/1.1":                                inbound.ErrMalformed,
		"OPTIONS * HTTP/1.1":                                  inbound.ErrMalformed,
		"GET /pub/../x HTTP/1.1":                              inbound.ErrMalformed,
		"GET //x HTTP/1.1":                                    inbound.ErrMalformed,
		"GET /%2e%2e/x HTTP/1.1":                              inbound.ErrMalformed,
		"GET /x#y HTTP/1.1":                                   inbound.ErrMalformed,
		"GET /caf\xc3\xa9 HTTP/1.1":                           inbound.ErrMalformed,
		"CONNECT evil:80 HTTP/1.1":                            inbound.ErrMethod,
		"CONNECT /x HTTP/1.1":                                 inbound.ErrMethod,
		"TRACE / HTTP/1.1":                                    inbound.ErrMethod,
		"GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1":    inbound.ErrTargetTooLong,
		"GET /?b=" + strings.Repeat("a", 8<<10) + " HTTP/1.1": inbound.ErrTargetTooLong,
	} {
		r := parse(t, line, "Host: gateway.example", "Authorization: Bearer abc")
		if _, err := read(r); !errors.Is(err, want) {
			t.Errorf("%.40q: error %v, want %v", line, err, want)
		}
	}
}

// FuzzTarget holds the reader against rules that are slow and obvious.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/b?c", "/a/../b", "/%2e", "/caf%C3%A9", "/%c0%ae", "//", "/a#b", "/a?#", "/%", "*", "http://a/b", "/.../x", "/\x80", "/a?\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r := ordinary()
		r.RequestURI = target
		got, err := read(r)
		if want := slowlyAccepted(target); want != (err == nil) {
			t.Fatalf("target %q: error %v, want accepted: %t", target, err, want)
		}
		if err == nil && got.Path+got.Query != target {
			t.Errorf("target %q is read as %q and %q", target, got.Path, got.Query)
		}
	})
}

var refusals = regexp.MustCompile(`(?i)[^!-~]|[\\;#]|%2e|%2f|%5c|%25|%23|%3f|%3b|%[01][0-9a-f]|%7f`)

func slowlyAccepted(target string) bool {
	rawPath, query, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(rawPath)
	return len(target) <= 8<<10 &&
		strings.HasPrefix(rawPath, "/") &&
		!refusals.MatchString(rawPath) &&
		err == nil && utf8.ValidString(decoded) &&
		strings.TrimSuffix(decoded, "/") == strings.TrimSuffix(path.Clean(decoded), "/") &&
		!strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' })
}
