package inbound_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tykctl/tykctl/internal/inbound"
)

const (
	peer   = "192.0.2.1"
	target = "GET /api/v1/test HTTP/1.1"
)

// parse reads a request from the bytes of its lines, as net/http's server does.
func parse(t *testing.T, lines ...string) *http.Request {
	t.Helper()
	raw := strings.Join(lines, "\r\n") + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", raw, err)
	}
	r.RemoteAddr = peer + ":5555"
	return r
}

// ordinary is a request without a fault, for tests to spoil.
func ordinary() *http.Request {
	return &http.Request{
		Method:     "GET",
		RequestURI: "/api/v1/test",
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host:       "gateway.example",
		RemoteAddr: peer + ":5555",
		Header:     http.Header{"Authorization": {"Bearer abc.def.ghi"}},
	}
}

func read(r *http.Request) (inbound.Request, error) {
	return inbound.NewReader(inbound.Options{}).Read(r)
}

func TestRead(t *testing.T) {
	r := parse(
		t,
		"POST /users/7/posts?draft=%zz;x HTTP/1.1",
		"Host: gateway.example:8080",
		"Authorization: Bearer abc.def.ghi",
		"X-Request-Id: client-1",
		"Content-Type: text/plain",
		"Content-Length: 3",
		"",
		"abc",
	)
	got, err := read(r)
	if err != nil {
		t.Fatal(err)
	}
	want := inbound.Request{
		ID:        "client-1",
		Method:    "POST",
		Path:      "/users/7/posts",
		Query:     "?draft=%zz;x",
		Bearer:    "abc.def.ghi",
		Client:    netip.MustParseAddr(peer),
		Forwarded: inbound.Forwarded{For: peer, Host: "gateway.example:8080", Proto: "http"},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("Read: (-want +got)\n%s", diff)
	}
	wantHeader := http.Header{
		"Authorization":  {"Bearer abc.def.ghi"},
		"Content-Type":   {"text/plain"},
		"Content-Length": {"3"},
	}
	if diff := cmp.Diff(wantHeader, r.Header); diff != "" {
		t.Errorf("header after Read: (-want +got)\n%s", diff)
	}
}

func TestMethod(t *testing.T) {
	tests := []struct {
		method string
		want   error
	}{
		{"GET", nil},
		{"PROPFIND", nil},
		{"M-SEARCH", nil},
		{"get", nil},
		{"CONNECT", inbound.ErrMethod},
		{"TRACE", inbound.ErrMethod},
		{"trace", inbound.ErrMethod},
		{"Connect", inbound.ErrMethod},
		{strings.Repeat("M", 32), nil},
		{strings.Repeat("M", 33), inbound.ErrMalformed},
		{"", inbound.ErrMalformed},
		{"G(T", inbound.ErrMalformed},
		{"GET ", inbound.ErrMalformed},
		{"GÉT", inbound.ErrMalformed},
		{"GET\r\nX:", inbound.ErrMalformed},
	}
	for _, tt := range tests {
		r := ordinary()
		r.Method = tt.method
		got, err := read(r)
		if !errors.Is(err, tt.want) {
			t.Errorf("method %q: error %v, want %v", tt.method, err, tt.want)
		}
		if err == nil && got.Method != tt.method {
			t.Errorf("method %q is read as %q", tt.method, got.Method)
		}
	}
}

func TestRequestID(t *testing.T) {
	const made = ""
	longest := strings.Repeat("a", 128)
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"kept", []string{"Az09._-"}, "Az09._-"},
		{"longest", []string{longest}, longest},
		{"absent", nil, made},
		{"empty", []string{""}, made},
		{"too long", []string{longest + "a"}, made},
		{"two lines", []string{"a", "a"}, made},
		{"list", []string{"a,b"}, made},
		{"blank", []string{"a b"}, made},
		{"forged log line", []string{"a\nlevel=error"}, made},
		{"not ASCII", []string{"é"}, made},
	}
	wellFormed := regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := func() inbound.Request {
				r := ordinary()
				r.Header["X-Request-Id"] = tt.lines
				got, _ := read(r)
				return got
			}
			first, second := request().ID, request().ID
			if tt.want != made {
				if first != tt.want {
					t.Errorf("ID = %q, want the client's %q", first, tt.want)
				}
				return
			}
			if !wellFormed.MatchString(first) || first == second {
				t.Errorf("made IDs %q and %q: want well-formed and different ones", first, second)
			}
		})
	}
}

func TestDeclaredBodyLimit(t *testing.T) {
	tests := []struct {
		name          string
		limit, length int64
		want          error
	}{
		{"at the limit", 10, 10, nil},
		{"over it", 10, 11, inbound.ErrBodyTooLarge},
		{"undeclared", 10, -1, nil},
		{"no limit", 0, 1 << 40, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			r.ContentLength = tt.length
			_, err := inbound.NewReader(inbound.Options{MaxBody: tt.limit}).Read(r)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

// The first fault of a request decides, and the credential's is always last.
func TestOrderOfFaults(t *testing.T) {
	faults := []struct {
		want  error
		spoil func(*http.Request)
	}{
		{inbound.ErrMethod, func(r *http.Request) { r.Method = "TRACE" }},
		{inbound.ErrTargetTooLong, func(r *http.Request) { r.RequestURI = "/" + strings.Repeat("a", 9000) }},
		{inbound.ErrHeadersTooLarge, func(r *http.Request) { r.Header["A"] = make([]string, 101) }},
		{inbound.ErrMalformed, func(r *http.Request) { r.Header["X_y"] = []string{""} }},
		{inbound.ErrBodyTooLarge, func(r *http.Request) { r.ContentLength = 2 }},
		{inbound.ErrNoToken, func(r *http.Request) { delete(r.Header, "Authorization") }},
	}
	reader := inbound.NewReader(inbound.Options{MaxBody: 1})
	for i, first := range faults {
		r := ordinary()
		for _, fault := range faults[i:] {
			fault.spoil(r)
		}
		if _, err := reader.Read(r); !errors.Is(err, first.want) {
			t.Errorf("fault %d: error %v, want %v", i, err, first.want)
		}
	}
}

// What a refused request leaves for the log holds no secret and no control byte.
func TestRefusedRequestIsSafeToLog(t *testing.T) {
	long := "/" + strings.Repeat("a", 9000)
	tests := []struct {
		name, method, target string
		wantMethod, wantPath string
	}{
		{"query left out", "GET", "/a/../b?token=s3cret", "GET", "/a/../b"},
		{"fragment left out", "GET", "/a#s3cret", "GET", "/a"},
		{"password in an absolute target", "GET", "http://user:s3cret@evil/x", "GET", ""},
		{"line break", "GET\nlevel=error", "/a", "GET", "/a"},
		{"escape sequence", "GET", "/a\x1b[31m", "GET", "/a"},
		{"not ASCII", "GET", "/a\u202eb", "GET", "/a"},
		{"long target", "GET", long, "GET", long[:256]},
		{"long method", strings.Repeat("G", 1000) + " ", "/a", strings.Repeat("G", 256), "/a"},
		{"no path", "OPTIONS", "*", "OPTIONS", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			r.Method, r.RequestURI = tt.method, tt.target
			r.Header.Set("X-Request-Id", "client-1")
			got, err := read(r)
			if err == nil {
				t.Fatal("no error")
			}
			want := inbound.Request{
				ID: "client-1", Method: tt.wantMethod, Path: tt.wantPath,
				Client: netip.MustParseAddr(peer),
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
}

func TestProtoSaysWhetherTLSEndsHere(t *testing.T) {
	r := ordinary()
	r.TLS = &tls.ConnectionState{}
	got, err := read(r)
	if err != nil || got.Forwarded.Proto != "https" {
		t.Errorf("Proto = %q, %v; want https", got.Forwarded.Proto, err)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	reader := inbound.NewReader(inbound.Options{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		MaxBody:        1 << 20,
	})
	r := parse(
		t, target, "Host: gateway.example", "Authorization: Bearer abc.def.ghi",
		"Accept: */*", "User-Agent: curl/8", "X-Request-Id: client-1",
	)
	ids := r.Header["X-Request-Id"]
	allocs := testing.AllocsPerRun(100, func() {
		r.Header["X-Request-Id"] = ids
		if _, err := reader.Read(r); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("Read allocates %v times, want 0", allocs)
	}
}

func BenchmarkRead(b *testing.B) {
	reader := inbound.NewReader(inbound.Options{MaxBody: 1 << 20})
	r := ordinary()
	r.RequestURI = "/users/7/posts?page=2"
	for name, value := range map[string]string{
		"Accept":          "*/*",
		"Accept-Encoding": "gzip, deflate, br",
		"User-Agent":      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0",
		"Authorization":   "Bearer " + strings.Repeat("a", 300),
		"Content-Type":    "application/json",
	} {
		r.Header.Set(name, value)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reader.Read(r); err != nil {
			b.Fatal(err)
		}
	}
}
