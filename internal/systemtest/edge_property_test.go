package systemtest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
)

// TestWhatIsAdmittedArrivesAsItWasMatched sends requests that are put together at
// random, from sound pieces and from such as other gateways were caught by. What
// is let through must arrive as exactly one request, with the target that was
// sent, with our word on who sent it, and with a path that the key may use even
// for a backend that decodes and cleans it. What is refused must not arrive.
func TestWhatIsAdmittedArrivesAsItWasMatched(t *testing.T) {
	back := newRawBackend(t)
	w := start(t, map[string]string{"application.target_host": "http://" + back.addr, "log.level": "Error"})
	key := w.token(desk.Grant{Routes: []string{"/allowed/**"}, Limit: 1e6})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	admitted := 0
	const all = 1500
	for range all {
		r := randomRequest(random, key.JWT)
		if !r.arrives(t, w, back) {
			continue
		}
		admitted++
		if t.Failed() {
			break
		}
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
	if admitted < all/20 || admitted > all*19/20 {
		t.Errorf("%d of %d were admitted: the pieces no longer test both", admitted, all)
	}
}

var (
	methods  = []string{"GET", "GET", "POST", "DELETE", "PROPFIND", "get", "TRACE", "CONNECT", "G(T"}
	starts   = []string{"/allowed/", "/allowed/", "/allowed/", "/allowed/", "/allowed", "/", "//allowed/", "/forbidden/", "allowed/", "*", "http://gateway.example/allowed/", "/Allowed/", "/allowed/../"}
	segments = []string{
		"a", "a", "b.c", "~d", "e%20f", "%C3%A9", "...", "a:b@c", "$&'()*+,=!",
		"", ".", "..", "%2e%2e", "%2E.", "%2f", "%5c", `\`, ";x", "..;", "%00", "%0d%0a", "%25", "%c0%ae", "%ff", "\xff", "#", "%", "%4",
	}
	queries = []string{"", "", "?", "?a=1", "?a=1;b=%zz&&", "?/../", "?\xff", "?a#b", "?%0d%0a", "??", "? "}
	fields  = []string{
		"Accept: */*", "Cookie: a=b", "X-Custom: 1", "Connection: keep-alive",
		"Connection: close, X-Forwarded-For, X-Request-Id, X-Forwarded-Host, Host", "X-Forwarded-For: 6.6.6.6", "x-forwarded-host: evil",
		"X-Forwarded-Proto: https", "Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-For : 6.6.6.6",
		"X-Original-Url: /forbidden/", "X-Http-Method-Override: DELETE", "Upgrade: h2c", "Te: trailers, x", "Trailer: X-Forwarded-For",
		"Transfer-Encoding: identity", "Host: evil", "X-Request-Id: a b", "Authorization: Bearer x", "X: \x01", " folded", "",
	}
	bodies = []string{
		"", "", "Content-Length: 5\r\n\r\nhello", "Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5;x=\"\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /allowed/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	}
)

// randomly is one raw request with what must be found at the backend.
type randomly struct {
	raw          string
	method, path string // path as it was sent, without the query
	target, host string
}

func randomRequest(random *rand.Rand, jwt string) randomly {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	// Most pieces are the first of their kind, so that not every request has a fault.
	seldom := func(from []string) string {
		if random.IntN(3) > 0 {
			return from[0]
		}
		return pick(from)
	}
	r := randomly{method: seldom(methods), path: seldom(starts), host: "gateway.example"}
	for i := range random.IntN(4) {
		if i > 0 {
			r.path += "/"
		}
		r.path += seldom(segments)
	}
	r.target = r.path + seldom(queries)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.%d\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", r.method, r.target, min(random.IntN(8), 1), r.host, jwt)
	for range random.IntN(3) {
		if field := pick(fields); field != "" {
			b.WriteString(field + "\r\n")
		}
	}
	if body := seldom(bodies); body != "" {
		b.WriteString(body)
	} else {
		b.WriteString("\r\n")
	}
	r.raw = b.String()
	return r
}

// arrives sends the request, and holds what the backend got of it to the rule. It
// reports whether the request was let through.
func (r randomly) arrives(t *testing.T, w *world, back *rawBackend) bool {
	t.Helper()
	fail := func(format string, args ...any) { t.Errorf("%q: "+format, append([]any{r.raw}, args...)...) }
	back.expect(nil)
	conn := w.sendRaw(t, []byte(r.raw))
	defer conn.Close()
	in := bufio.NewReader(conn)
	answers := 0
	passed := false
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			break
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode >= 200 {
			answers++
			passed = passed || res.StatusCode == http.StatusOK
			_ = conn.CloseWrite() // there is no other request
		}
	}
	seen := back.requests()
	if answers > 1 && passed || len(seen) > 1 {
		fail("%d answers, %d requests at the backend", answers, len(seen))
	}
	if len(seen) == 0 {
		if passed {
			fail("200, but nothing arrived")
		}
		return false
	}
	got := seen[0]
	if got.fault != nil {
		fail("the backend cannot read it: %v", got.fault)
	}
	if want := r.method + " " + r.target + " HTTP/1.1"; got.line != want {
		fail("the backend got %q", got.line)
	}
	if decoded, err := url.PathUnescape(r.path); err != nil || !strings.HasPrefix(path.Clean(decoded)+"/", "/allowed/") {
		fail("the key may not use this path")
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": r.host, "X-Forwarded-Proto": "http", "Host": back.addr,
		"Forwarded": "", "X-Real-Ip": "", "X-Original-Url": "", "X-Http-Method-Override": "", "Upgrade": "", "Trailer": "",
	} {
		if strings.Join(got.fields.Values(name), "|") != want {
			fail("%s: %q, want %q", name, got.fields.Values(name), want)
		}
	}
	for name := range got.fields {
		if strings.Contains(name, "_") {
			fail("the backend got %s", name)
		}
	}
	return true
}
