package inbound_test

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tykctl/tykctl/internal/inbound"
)

func TestFieldsAreCleaned(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  http.Header
	}{
		{"ordinary fields stay", []string{"Accept: */*", "Cookie: a=b", "X-Custom: 1", "X-Custom: 2", "Via: 1.1 x", "Keep-Alive: 5"}, http.Header{
			"Accept": {"*/*"}, "Cookie": {"a=b"}, "X-Custom": {"1", "2"}, "Via": {"1.1 x"}, "Keep-Alive": {"5"},
		}},
		{"hop-by-hop fields are the sender's work", []string{"Connection: close, X-Custom", "X-Custom: 1"}, http.Header{
			"Connection": {"close, X-Custom"}, "X-Custom": {"1"},
		}},
		{"forged origin", []string{
			"X-Forwarded-For: 1.1.1.1", "x-forwarded-host: evil", "X-FORWARDED-PROTO: https", "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /x",
			"X-Forwarded-Anything: x", "X-Forwarded: x", "Forwarded: for=1.1.1.1", "X-Real-IP: 1.1.1.1",
		}, http.Header{}},
		{"our own", []string{"X-Request-Id: a b"}, http.Header{}},
		{"never honoured", []string{
			"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-Original-URL: /admin", "Proxy: http://evil/", "X-Rewrite-URL: /admin",
		}, http.Header{}},
		{"close to a forged one", []string{"X-Forward: x", "X-Real-Ips: x", "Forwarded-By: x"}, http.Header{
			"X-Forward": {"x"}, "X-Real-Ips": {"x"}, "Forwarded-By": {"x"},
		}},

		{"WebSocket", []string{"Connection: keep-alive, Upgrade", "Upgrade: WebSocket"}, http.Header{
			"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"WebSocket"},
		}},
		{"h2c", []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"}, http.Header{
			"Connection": {"HTTP2-Settings"},
		}},
		{"h2c beside WebSocket", []string{"Connection: upgrade", "Upgrade: websocket, h2c"}, http.Header{}},
		{"h2c in a second line", []string{"Connection: close", "Connection: , upgrade", "Upgrade: websocket", "Upgrade: h2c"}, http.Header{
			"Connection": {"close"},
		}},
		{"WebSocket with a long s", []string{"Connection: upgrade", "Upgrade: web\u017focket"}, http.Header{}},
		{"WebSocket with a version", []string{"Connection: upgrade", "Upgrade: websocket/13"}, http.Header{}},
		{"empty upgrade", []string{"Connection: close, upgrade, x", "Upgrade:"}, http.Header{"Connection": {"close, x"}}},
		{"settings without an upgrade", []string{"HTTP2-Settings: AAMAAABk"}, http.Header{}},

		{"trailers taken", []string{"TE: trailers"}, http.Header{"Te": {"trailers"}}},
		{"other codings taken", []string{"TE: trailers, deflate"}, http.Header{}},
		{"two TE lines", []string{"TE: trailers", "TE: deflate"}, http.Header{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, append([]string{target, "Host: gateway.example", "Authorization: Bearer x"}, tt.lines...)...)
			if _, err := read(r); err != nil {
				t.Fatal(err)
			}
			tt.want["Authorization"] = []string{"Bearer x"}
			if diff := cmp.Diff(tt.want, r.Header); diff != "" {
				t.Errorf("header after Read: (-want +got)\n%s", diff)
			}
		})
	}
}

// What a client declares is kept for whoever sends the body on, if it may follow one
// at all; without chunks there is nothing that could be declared.
func TestTrailers(t *testing.T) {
	lines := []string{"POST /a HTTP/1.1", "Host: gateway.example", "Authorization: Bearer x"}
	for name, may := range map[string]bool{
		"X-Sum": true, "Digest": true, "Content-Digest": true, "x-amz-checksum-crc32": true, "Grpc-Status": true,
		"Content-Type": false, "Content-Encoding": false, "Content-Range": false, // the content's format
		"Host": false, "X-Forwarded-For": false, "Forwarded": false, // routing
		"Authorization": false, "Proxy-Authorization": false, "Cookie": false, // authentication
		"Connection": false, "Te": false, "Upgrade": false, "Keep-Alive": false, "Http2-Settings": false, // framing
		"Expect": false, "If-Match": false, "Range": false, "Max-Forwards": false, "Cache-Control": false, // request modifiers
		"X-Request-Id": false, "X-Api-Key-Hash": false, "X-Http-Method-Override": false, // ours
		"X_Sum": false, "X Sum": false, "": true, // an element of a list may be empty
	} {
		t.Run(name, func(t *testing.T) {
			r := parse(t, append(lines, "Transfer-Encoding: chunked", "Trailer: X-One, "+name)...)
			_, err := read(r)
			if (err == nil) != may || !may && !errors.Is(err, inbound.ErrMalformed) {
				t.Errorf("%v, want it to pass: %t", err, may)
			}
			if _, declared := r.Trailer["X-One"]; !declared || r.Header["Trailer"] != nil {
				t.Errorf("Trailer = %v, header %v", r.Trailer, r.Header)
			}
		})
	}
	r := parse(t, append(lines, "Content-Length: 0", "Trailer: X-Sum")...)
	if _, err := read(r); err != nil || len(r.Trailer) != 0 || r.Header["Trailer"] != nil {
		t.Errorf("%v, trailer %v, header %v", err, r.Trailer, r.Header)
	}
}

func TestMalformedFields(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		says   string
	}{
		{"underscore", http.Header{"X_forwarded_for": {"1.1.1.1"}}, "underscore"},
		{"underscore last", http.Header{"X_": {""}}, "underscore"},
		{"length in disguise", http.Header{"Content.length": {"5"}}, "could be mistaken for"},
		{"coding in disguise", http.Header{"Transfer---Encoding": {"chunked"}}, "could be mistaken for"},
		{"blank in the name", http.Header{"X Y": {""}}, "contains an invalid character"},
		{"colon in the name", http.Header{":path": {"/x"}}, "contains an invalid character"},
		{"empty name", http.Header{"": {""}}, "contains an invalid character"},
		{"name outside ASCII", http.Header{"É": {""}}, "contains an invalid character"},
		{"line break in the value", http.Header{"X-Y": {"a\r\nX-Z: b"}}, "control character"},
		{"NUL in the second value", http.Header{"X-Y": {"a", "\x00"}}, "control character"},
		{"DEL in the value", http.Header{"X-Y": {"\x7f"}}, "control character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			maps.Copy(r.Header, tt.header)
			_, err := read(r)
			if !errors.Is(err, inbound.ErrMalformed) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want an ErrMalformed that says %q", err, tt.says)
			}
		})
	}
}

// What is told apart from ours by a character that CGI drops is ours.
func TestTwinsOfOursAreDropped(t *testing.T) {
	r := ordinary()
	for _, name := range []string{
		"X.forwarded.for", "X+request+id", "X-Forwarded~proto", "X!real!ip", "X.http.method.override", "X*original*url",
		"Http2.settings", "X.api.key.hash", "X.forwarded.anything",
	} {
		r.Header[name] = []string{"evil"}
	}
	r.Header["X.custom"], r.Header["Xforwardedfor"] = []string{"kept"}, []string{"kept"}
	got, err := read(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == "evil" || len(r.Header) != 3 { // and Authorization
		t.Errorf("ID %s, header %v", got.ID, r.Header)
	}
}

// SECURITY.md names every field that claims another method, target or host.
func TestSECURITYListsTheOverrides(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- overrides -->")
	list, _, found := strings.Cut(rest, "<!-- end of overrides -->")
	if !found {
		t.Fatal("SECURITY.md has no list")
	}
	var told []string
	for i, name := range strings.Split(list, "`") {
		if i%2 == 1 {
			told = append(told, http.CanonicalHeaderKey(name))
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(inbound.Overrides())), slices.Sorted(slices.Values(told))); diff != "" {
		t.Errorf("the list: (-code +SECURITY.md)\n%s", diff)
	}
	for _, name := range told {
		r := ordinary()
		r.Header[name] = []string{"evil"}
		if _, err := read(r); err != nil || r.Header[name] != nil {
			t.Errorf("%s stays: %v", name, err)
		}
	}
}

// A Content-Length over HTTP/2 is one number, and that of the body.
func TestLengthOverHTTP2(t *testing.T) {
	for _, tt := range []struct {
		values []string
		length int64 // as net/http tells it
		want   error
	}{
		{nil, 0, nil},
		{nil, -1, nil},
		{[]string{"0"}, 0, nil},
		{[]string{"5"}, 5, nil},
		{[]string{"5"}, 0, inbound.ErrLength}, // the stream has ended
		{[]string{" 5"}, 0, inbound.ErrLength},
		{[]string{"5 "}, 0, inbound.ErrLength},
		{[]string{"+5"}, 5, inbound.ErrLength},
		{[]string{""}, 0, inbound.ErrLength},
		{[]string{"0x0"}, 0, inbound.ErrLength},
		{[]string{"5", "5"}, 5, inbound.ErrLength},
		{[]string{"5", "6"}, 5, inbound.ErrLength},
		{[]string{"9223372036854775808"}, 0, inbound.ErrLength},
	} {
		r := ordinary()
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
		r.ContentLength = tt.length
		if tt.values != nil {
			r.Header["Content-Length"] = tt.values
		}
		if _, err := read(r); !errors.Is(err, tt.want) {
			t.Errorf("%q with %d bytes: %v, want %v", tt.values, tt.length, err, tt.want)
		}
	}
}

func TestValuesOutsideASCIIPass(t *testing.T) {
	r := ordinary()
	r.Header["X-Name"] = []string{"caf\xc3\xa9\tcr\xe8me"}
	if _, err := read(r); err != nil {
		t.Error(err)
	}
}

func TestHeaderLimits(t *testing.T) {
	// The Host and Authorization fields of the ordinary request count too.
	const fields, size = 2, len("Host") + len("gateway.example") + len("Authorization") + len("Bearer abc.def.ghi")
	room := 32<<10 - size - len("X-A")
	tests := []struct {
		name   string
		header http.Header
		want   error
	}{
		{"100 fields", http.Header{"X-A": make([]string, 100-fields)}, nil},
		{"101 fields", http.Header{"X-A": make([]string, 101-fields)}, inbound.ErrHeadersTooLarge},
		{"32 KiB", http.Header{"X-A": {strings.Repeat("a", room)}}, nil},
		{"one byte more", http.Header{"X-A": {strings.Repeat("a", room+1)}}, inbound.ErrHeadersTooLarge},
		{"in names", http.Header{strings.Repeat("A", 17<<10): {"", ""}}, inbound.ErrHeadersTooLarge},
		{"in a field that is dropped", http.Header{"X-Request-Id": {strings.Repeat("a", 32<<10)}}, inbound.ErrHeadersTooLarge},
		{"malformed as well", http.Header{"X_a": make([]string, 100)}, inbound.ErrHeadersTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			maps.Copy(r.Header, tt.header)
			if _, err := read(r); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for _, host := range []string{"gateway", "gateway.example", "Gateway.Example:8080", "my_service-1.", "192.0.2.1:80", "[2001:db8::1]", "[::1]:8080"} {
		r := ordinary()
		r.Host = host
		if got, err := read(r); err != nil || got.Forwarded.Host != host {
			t.Errorf("host %q: %q, %v", host, got.Forwarded.Host, err)
		}
	}
	for _, host := range []string{
		"", ":80", "a b", "a\tb", "a\x00", "a\r\nX: y", "user@a", "a/b", "a?b", "a#b", `a\b`, "a,b", "é", "a%41", "a:", "a:b", "a:80:80", "a:123456", "a:-1",
		"::1", "[::1", "::1]", "[]", "[]:80", "[a]", "[1.2.3.4]", "[::1]x", "[::1]:", "[[::1]]", "[fe80::1%eth0]", "[::1]:80:80",
	} {
		r := ordinary()
		r.Host = host
		if _, err := read(r); !errors.Is(err, inbound.ErrMalformed) {
			t.Errorf("host %q: error %v, want ErrMalformed", host, err)
		}
	}
}

// Go's HTTP/2 server leaves a Host field in the header beside :authority.
func TestHostBesideAuthority(t *testing.T) {
	tests := []struct {
		fields []string
		want   error
	}{
		{[]string{"gateway.example"}, nil},
		{[]string{"evil.example"}, inbound.ErrMalformed},
		{[]string{"gateway.example", "evil.example"}, inbound.ErrMalformed},
		{[]string{""}, inbound.ErrMalformed},
	}
	for _, tt := range tests {
		r := ordinary()
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
		r.Header["Host"] = tt.fields
		if _, err := read(r); !errors.Is(err, tt.want) {
			t.Errorf("Host fields %q: error %v, want %v", tt.fields, err, tt.want)
		}
		if tt.want == nil && r.Header["Host"] != nil {
			t.Error("the Host field stays in the header")
		}
	}
}

func TestMalformedOnTheWire(t *testing.T) {
	for name, lines := range map[string][]string{
		"no host":        {"GET / HTTP/1.0"},
		"empty host":     {"GET / HTTP/1.1", "Host:"},
		"user in host":   {"GET / HTTP/1.1", "Host: user@gateway.example"},
		"CGI twin":       {"GET / HTTP/1.1", "Host: gateway.example", "X_Forwarded_For: 1.1.1.1"},
		"CGI twin of ID": {"GET / HTTP/1.1", "Host: gateway.example", "X-Request_Id: x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := parse(t, append(lines, "Authorization: Bearer x")...)
			if _, err := read(r); !errors.Is(err, inbound.ErrMalformed) {
				t.Errorf("error %v, want ErrMalformed", err)
			}
		})
	}
}
