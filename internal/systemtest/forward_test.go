package systemtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
)

func TestBytesArriveAsTheyWereSent(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{Routes: []string{"/**"}})
	for _, target := range []string{
		"/api/v1/test?a=1;b=2&c=%zz&&d",
		"/api/v1/test?",
		"/api/v1/test?q=a+b%20c&q=%C3%A9",
		"/a%20b/c%2Bd~(x)!$&'*+,=:@",
		`/quote"s/and|pipes{}^`,
		"/trailing/",
		"/",
	} {
		r := w.raw("GET " + target + " HTTP/1.1\r\nHost: example.test\r\nAuthorization: Bearer " + key.JWT + "\r\n\r\n")
		w.want(r, 200, "")
		seen := w.backend.requests()
		if got := seen[len(seen)-1].RequestURI; got != target {
			t.Errorf("sent %s, the backend got %s", target, got)
		}
	}
}

func TestWhatTheBackendIsTold(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	r := w.raw("POST /api/v1/test HTTP/1.1\r\n" +
		"Host: client.example\r\n" +
		"Authorization: Bearer " + key.JWT + "\r\n" +
		"X-Forwarded-For: 6.6.6.6\r\n" +
		"X-Forwarded-Host: evil\r\n" +
		"X-Forwarded-Proto: gopher\r\n" +
		"X-Real-Ip: 6.6.6.6\r\n" +
		"Forwarded: for=6.6.6.6\r\n" +
		"X-HTTP-Method-Override: DELETE\r\n" +
		"X-Request-Id: my-own-id\r\n" +
		"X-Kept: yes\r\n" +
		"Connection: close, X-Request-Id, X-Forwarded-For, Authorization, X-Dropped\r\n" +
		"X-Dropped: yes\r\n" +
		"Content-Length: 4\r\n\r\nbody")
	w.want(r, 200, "")
	if got := r.Header.Get("X-Request-Id"); got != "my-own-id" {
		t.Errorf("the answer's X-Request-Id is %q", got)
	}
	got := w.backend.requests()[0]
	if want := strings.TrimPrefix(w.backend.URL, "http://"); got.Host != want || got.Method != "POST" {
		t.Errorf("%s, Host %s, want POST, %s", got.Method, got.Host, want)
	}
	want := http.Header{
		"Authorization":     {"Bearer " + key.JWT},
		"X-Forwarded-For":   {"127.0.0.1"},
		"X-Forwarded-Host":  {"client.example"},
		"X-Forwarded-Proto": {"http"},
		"X-Request-Id":      {"my-own-id"},
		"X-Kept":            {"yes"},
		"Content-Length":    {"4"},
	}
	for name := range got.Header {
		if want[name] == nil {
			t.Errorf("the backend also got %s: %q", name, got.Header[name])
		}
	}
	for name, values := range want {
		if strings.Join(got.Header[name], "|") != values[0] {
			t.Errorf("%s: %q, want %q", name, got.Header[name], values)
		}
	}
}

func TestOptionsOfForwarding(t *testing.T) {
	w := start(t, map[string]string{
		"application.preserve_host":       "true",
		"application.strip_authorization": "true",
		"application.trusted_proxies":     "127.0.0.0/8",
	})
	key := w.token(desk.Grant{})
	w.want(w.raw("GET /api/v1/test HTTP/1.1\r\nHost: client.example\r\nX-Forwarded-For: 203.0.113.9\r\nAuthorization: bearer "+key.JWT+"\r\n\r\n"), 200, "")
	got := w.backend.requests()[0]
	if got.Host != "client.example" {
		t.Errorf("Host %q", got.Host)
	}
	if auth := got.Header.Get("Authorization"); auth != "" {
		t.Error("the backend got the token")
	}
	if from := got.Header.Get("X-Forwarded-For"); from != "203.0.113.9, 127.0.0.1" {
		t.Errorf("X-Forwarded-For: %s", from)
	}
	if line := w.log.find("msg", "request"); line["client"] != "203.0.113.9" {
		t.Errorf("the access log names %v as the client", line["client"])
	}
}

func TestAnswerPassesThrough(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.backend.answer(func(rw http.ResponseWriter, _ *http.Request) {
		h := rw.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h.Set("X-Request-Id", "the backend's")
		h.Set("RateLimit", "the backend's")
		h.Set("X-RateLimit-Remaining", "the backend's")
		h.Set("Trailer", "X-Sum")
		rw.WriteHeader(http.StatusEarlyHints)
		rw.WriteHeader(http.StatusTeapot)
		fmt.Fprint(rw, "short and stout")
		h.Set("X-Sum", "15")
	})
	r := w.get("/api/v1/test", key.JWT)
	w.want(r, 418, "")
	if r.body != "short and stout" || r.Trailer.Get("X-Sum") != "15" {
		t.Errorf("body %q, trailer %v", r.body, r.Trailer)
	}
	if got := r.Header["Set-Cookie"]; len(got) != 2 {
		t.Errorf("Set-Cookie: %q", got)
	}
	for _, name := range []string{"X-Request-Id", "Ratelimit", "X-Ratelimit-Remaining"} {
		if got := r.Header[name]; len(got) != 1 || got[0] == "the backend's" {
			t.Errorf("%s: %q, want ours alone", name, got)
		}
	}
}

func TestHeaderNamesAreSpelledAsInTheirSpecifications(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, request := range []string{
		"GET /api/v1/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key.JWT + "\r\n\r\n",
		"GET /api/v1/test HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		fmt.Fprint(conn, request)
	}
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
		"WWW-Authenticate", "X-Request-Id",
	} {
		if !bytes.Contains(answers, []byte("\r\n"+name+": ")) {
			t.Errorf("no %s in\n%s", name, answers)
		}
	}
}

func TestStreams(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	proceed := make(chan struct{})
	w.backend.answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(rw, "data: 1\n\n")
		rw.(http.Flusher).Flush()
		<-proceed
		fmt.Fprint(rw, "data: 2\n\n")
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/v1/test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key.JWT)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	if line, err := in.ReadString('\n'); line != "data: 1\n" { // arrives while the backend still waits
		t.Fatalf("%q, %v", line, err)
	}
	close(proceed)
	if rest, err := io.ReadAll(in); string(rest) != "\ndata: 2\n\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestBackendFaults(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for name, tt := range map[string]struct {
		target string // "" is one that sends answer
		answer string // then closes; "" holds the connection open
		status int
		code   string
	}{
		"refuses":             {target: closed.Addr().String(), status: 502, code: "upstream_unreachable"},
		"has no address":      {target: "no-such-host.invalid:80", status: 502, code: "upstream_unreachable"},
		"says nothing":        {status: 504, code: "upstream_timeout"},
		"sends nonsense":      {answer: "Hello!\r\n\r\n", status: 502, code: "upstream_invalid"},
		"dies in mid-header":  {answer: "HTTP/1.1 200 OK\r\nContent-Le", status: 502, code: "upstream_invalid"},
		"sends 2 MiB headers": {answer: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", status: 502, code: "upstream_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.target == "" {
				tt.target = scripted(t, tt.answer)
			}
			options := map[string]string{"application.target_host": "http://" + tt.target}
			if tt.status == http.StatusGatewayTimeout {
				options["upstream.response_timeout"] = "100ms"
			}
			w := start(t, options)
			key := w.token(desk.Grant{})
			r := w.get("/api/v1/test", key.JWT)
			w.want(r, tt.status, tt.code)
			if r.Header.Get("X-Ratelimit-Limit") != "1000" {
				t.Error("the answer does not say what is left of the limit")
			}
			if strings.Contains(r.body, tt.target) {
				t.Errorf("the client is told the backend's address: %s", r.body)
			}
		})
	}
}

// scripted is a backend that reads a request's first bytes, sends answer and
// closes. Without an answer it keeps the connection open.
func scripted(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				if answer == "" {
					_, _ = conn.Read(make([]byte, 1)) // until the gateway gives up
					return
				}
				fmt.Fprint(conn, answer)
			}()
		}
	}()
	return l.Addr().String()
}

func TestCutAnswerIsNotEndedCleanly(t *testing.T) {
	for name, answer := range map[string]string{
		"of known length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
		"in chunks":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, map[string]string{"application.target_host": "http://" + scripted(t, answer)})
			key := w.token(desk.Grant{})
			req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/v1/test", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+key.JWT)
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				defer res.Body.Close()
				_, err = io.ReadAll(res.Body)
			}
			if err == nil {
				t.Error("the client takes half an answer for a whole one")
			}
			if line := w.log.find("msg", "request"); line["reason"] != "upstream_invalid" {
				t.Errorf("the access log says %v", line)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	w := start(t, map[string]string{"application.max_body": "1000"})
	key := w.token(desk.Grant{})
	w.backend.answer(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = rw.Write(b)
	})
	chunked := func(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) }

	if r := w.do("POST", "/api/v1/test", key.JWT, chunked(1000)); r.StatusCode != 200 || len(r.body) != 1000 {
		t.Errorf("1000 bytes: %d, %d came back", r.StatusCode, len(r.body))
	}
	over := w.do("POST", "/api/v1/test", key.JWT, chunked(1001))
	w.want(over, 413, "too_large")
	used := w.used(key.APIKey)
	declared := w.do("POST", "/api/v1/test", key.JWT, strings.NewReader(strings.Repeat("x", 1001)))
	w.want(declared, 413, "too_large")
	if over.problem.Detail != declared.problem.Detail {
		t.Errorf("in chunks the client is told %q, else %q", over.problem.Detail, declared.problem.Detail)
	}
	if w.used(key.APIKey) != used {
		t.Error("a body whose length says that it is too large took a permit")
	}
	w.want(w.raw("POST /api/v1/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+key.JWT+
		"\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400, "bad_request")
}

func TestTooLarge(t *testing.T) {
	w := start(t, nil)
	w.want(w.raw("GET /"+strings.Repeat("a", 8<<10)+" HTTP/1.1\r\nHost: x\r\n\r\n"), 414, "too_large")
	w.want(w.raw("GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 33<<10)+"\r\n\r\n"), 431, "too_large")
	w.want(w.raw("GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X: a\r\n", 101)+"\r\n"), 431, "too_large")
}

func TestMethodsAndTargets(t *testing.T) {
	w := start(t, nil)
	r := w.raw("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n")
	w.want(r, 405, "bad_request")
	if r.Header.Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	for _, line := range []string{"OPTIONS *", "GET http://evil/x", "GET //x", "GET /%2e%2e/x", "GET /a;b"} {
		w.want(w.raw(line+" HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "bad_request")
	}
	two := "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"
	w.want(w.raw("GET / HTTP/1.1\r\nHost: x\r\n"+two+"\r\n"), 400, "bad_request")
}

func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	w := start(t, nil)
	// 1 MiB is announced and none of it ever comes.
	r := w.raw("POST /api/v1/test HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
	w.want(r, 401, "missing_token")
	if !r.Close {
		t.Error("the connection stays open, with a body under way on it")
	}
}

func TestClientGone(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	arrived, left := make(chan struct{}), make(chan struct{})
	w.backend.answer(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // the gateway ends its request when the client has ended its own
		close(left)
	})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/api/v1/test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key.JWT)
	go func() { <-arrived; leave() }()
	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
		t.Fatal("the request was answered")
	}
	<-left
	if line := w.log.find("msg", "request"); line["status"] != 499.0 || line["reason"] != "client_gone" {
		t.Errorf("the access log says %v", line)
	}
}

// A client that has closed its own side may still read.
func TestNobodyIsToldThatAllIsWellWhenItIsNot(t *testing.T) {
	w := start(t, map[string]string{"application.target_host": "http://" + scripted(t, "")})
	key := w.token(desk.Grant{})
	conn := w.sendRaw(t, []byte("GET /api/v1/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+key.JWT+"\r\n\r\n"))
	_ = conn.CloseWrite()
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("it was answered %q, and the backend never said a word", answer)
	}
}

func TestMoreRequestsThanMayBeInFlight(t *testing.T) {
	w := start(t, map[string]string{"server.max_in_flight": "2"})
	key := w.token(desk.Grant{})
	arrived, proceed := make(chan struct{}), make(chan struct{})
	w.backend.answer(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-proceed
	})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { w.want(w.get("/api/v1/test", key.JWT), 200, "") })
		<-arrived
	}
	r := w.get("/api/v1/test", key.JWT)
	w.want(r, 503, "overloaded")
	if r.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", r.Header.Get("Retry-After"))
	}
	if n := w.used(key.APIKey); n != 2 {
		t.Errorf("%d permits are taken, want 2", n)
	}
	close(proceed)
	wg.Wait()
	go func() { <-arrived }()
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
}
