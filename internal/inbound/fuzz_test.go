package inbound_test

import (
	"bufio"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/inbound"
)

// FuzzRead gives whole requests to net/http and what it lets through to the
// reader, and holds what is left to the rules that other stages rely on.
func FuzzRead(f *testing.F) {
	for _, lines := range [][]string{
		{"GET /a/b?c HTTP/1.1", "Host: gateway.example", "Authorization: Bearer abc"},
		{"POST / HTTP/1.0", "Host: [::1]:80", "Authorization: bearer x==", "Content-Length: 1"},
		{"GET / HTTP/1.1", "Host: a", "Authorization: Bearer x", "Connection: Upgrade, X", "Upgrade: websocket"},
		{"GET / HTTP/1.1", "Host: a", "Authorization: Bearer x", "Connection: upgrade", "Upgrade: h2c", "Http2-Settings: A"},
		{"GET / HTTP/1.1", "Host: a", "Authorization: Bearer x", "X-Forwarded-For: 1.1.1.1", "X_Real_Ip: 1", "Forwarded: x"},
		{"POST / HTTP/1.1", "Host: a", "Authorization: Bearer x", "Transfer-Encoding: chunked", "Trailer: X-Sum", "Te: trailers, x"},
		{"GET http://u:p@b/c HTTP/1.1", "Host: a", "X-Request-Id: a b"},
	} {
		f.Add(strings.Join(lines, "\r\n"))
	}
	id := regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	reader := inbound.NewReader(inbound.Options{MaxBody: 10})
	f.Fuzz(func(t *testing.T, head string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
		if err != nil {
			return
		}
		r.RemoteAddr = peer + ":1"
		got, err := reader.Read(r)
		if !id.MatchString(got.ID) || got.Client != netip.MustParseAddr(peer) {
			t.Errorf("ID %q, client %v", got.ID, got.Client)
		}
		if err != nil {
			return
		}
		if got.Path+got.Query != r.RequestURI || got.Method != r.Method || got.Bearer == "" {
			t.Errorf("read as %+v", got)
		}
		if want := (inbound.Forwarded{For: peer, Host: r.Host, Proto: "http"}); got.Forwarded != want {
			t.Errorf("Forwarded = %+v, want %+v", got.Forwarded, want)
		}
		checkFields(t, r)
	})
}

func checkFields(t *testing.T, r *http.Request) {
	t.Helper()
	fields := 1
	for name, values := range r.Header {
		fields += len(values)
		if strings.Contains(name, "_") || strings.HasPrefix(name, "X-Forwarded") {
			t.Errorf("%s is let through", name)
		}
		if strings.ContainsAny(strings.Join(values, ""), "\x00\r\n\x7f") {
			t.Errorf("%s: %q", name, values)
		}
	}
	for _, name := range []string{"Forwarded", "X-Real-Ip", "X-Request-Id", "Trailer", "Http2-Settings", "Host", "Proxy", "X-Original-Url"} {
		if r.Header[name] != nil {
			t.Errorf("%s is let through", name)
		}
	}
	if upgrade := r.Header["Upgrade"]; upgrade != nil && (len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket")) {
		t.Errorf("an upgrade to %q", upgrade)
	}
	if te := r.Header["Te"]; te != nil && !strings.EqualFold(strings.Join(te, ","), "trailers") {
		t.Errorf("TE: %q", te)
	}
	if fields > 100 || r.ContentLength > 10 {
		t.Errorf("%d fields, %d bytes", fields, r.ContentLength)
	}
	for name := range r.Trailer {
		if strings.HasPrefix(name, "X-Forwarded") || name == "Authorization" || strings.Contains(name, "_") {
			t.Errorf("the trailer %q is let through", name)
		}
	}
}

// FuzzHost holds the host's rule against an expression and netip.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"a", "a.b:80", "[::1]", "[::1]:8", "", ":", "a:", "u@a", "[fe80::1%25x]", "a:123456", "::1", "[1.2.3.4]"} {
		f.Add(seed)
	}
	shape := regexp.MustCompile(`^(?:[A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?$`)
	f.Fuzz(func(t *testing.T, host string) {
		r := ordinary()
		r.Host = host
		got, err := read(r)
		match := shape.FindStringSubmatch(host)
		sound := match != nil && len(host) < 32<<10-100
		if sound && match[1] != "" {
			addr, err := netip.ParseAddr(match[1])
			sound = err == nil && addr.Is6()
		}
		if sound != (err == nil) || err == nil && got.Forwarded.Host != host {
			t.Errorf("host %q: %q, %v; want it taken: %t", host, got.Forwarded.Host, err, sound)
		}
	})
}
