package http1

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// overTLS takes the certificate that httptest brings along.
func overTLS(t *testing.T) func(*http.Server) {
	t.Helper()
	own := httptest.NewTLSServer(nil)
	t.Cleanup(own.Close)
	return func(s *http.Server) {
		s.TLSConfig = &tls.Config{Certificates: own.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	}
}

func dialTLS(t *testing.T, addr, raw string, protocols ...string) *client {
	t.Helper()
	c := dial(t, addr, "")
	secure := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	c.Conn = secure
	c.in.Reset(secure)
	c.send(raw)
	return c
}

// Over TLS, too, what is plain is served here, and the handler sees the connection's
// state at both servers.
func TestOverTLS(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		said := fmt.Sprint(isPlain(w), r.TLS != nil && r.TLS.Version == tls.VersionTLS13)
		w.Header().Set("Content-Length", fmt.Sprint(len(said)))
		_, _ = io.WriteString(w, said)
	}, overTLS(t))
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		c := dialTLS(t, addr, get+get, protocols...)
		for range 2 {
			if _, body := c.answer("GET"); body != "true true" {
				t.Error(body)
			}
		}
		c.send("GET / HTTP/1.0\r\n\r\n")
		if res, body := c.answer("GET"); body != "false true" || !res.last {
			t.Error(body)
		}
		if rest := c.rest(); rest != "" {
			t.Errorf("more was answered: %s", rest)
		}
		c = dialTLS(t, addr, "GET / HTTP/1.1\r\nHost: x\n\r\n", protocols...)
		if res, _ := c.answer("GET"); res.status != http.StatusBadRequest || !res.last {
			t.Errorf("a lone LF is answered with %d", res.status)
		}
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	for range 2 { // on one connection, which is no rewound one
		res, err := client.Get("https://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.ProtoMajor != 2 || string(body) != "false true" {
			t.Errorf("%s %s", res.Proto, body)
		}
	}
}

func TestHTTPToAnHTTPSPort(t *testing.T) {
	_, addr := serve(t, tell, overTLS(t))
	if res, body := dial(t, addr, get).answer("GET"); res.status != http.StatusBadRequest || !strings.Contains(body, "https://") {
		t.Errorf("%d %s", res.status, body)
	}
	c := dial(t, addr, "\x16\x03\x01\x00\x01\x00") // a handshake of nonsense
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.rest()
}

// Who refuses is told what the answer and the log need of a request, and nothing that is in doubt.
func TestRefuse(t *testing.T) {
	type refused struct{ proto, method, target, header, fault string }
	told := make(chan refused, 1)
	_, addr := serve(t, tell, nil, func(s *Server) {
		s.Refuse = func(w http.ResponseWriter, r *http.Request, fault error) {
			told <- refused{r.Proto, r.Method, r.RequestURI, fmt.Sprintf("%v %d %s", r.Header, r.ContentLength, r.Host), fault.Error()}
			w.WriteHeader(http.StatusTeapot)
		}
	})
	const one = "HTTP/1.1"
	for raw, want := range map[string]refused{
		"POST /a?b HTTP/1.1\r\nHost: x\r\nX: y\r\nContent-Length: 5\r\n folded\r\nOrigin: z\r\n\r\n": {one, "POST", "/a?b", "map[] 0 x", "malformed request: a header is folded over two lines"},
		"PO(T /a?b HTTP/1.1\r\nHost: x\r\n\r\n":                                                      {one, "", "", "map[] 0 x", "malformed request: the method is empty or contains an invalid character"},
		"GET / HTTP/1.1\r\nHost: x\n":                                                                {one, "GET", "/", "map[] 0 ", "malformed request: a line of the header ends in LF alone"},
		"GET /1% HTTP/1.1\r\nHost: x\r\nOrigin: a\r\nOrigin: b\r\nX-Request-Id: y\r\nUser-Agent: z\r\nContent-Length: 9\r\n\r\n": {
			one, "GET", "/1%", "map[Origin:[a b] User-Agent:[z]] 0 x",
			"malformed request: the target is not a path, or contains a percent sign without two hexadecimal digits",
		},
		"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\nUser-Agent: z\r\n\r\n": {"HTTP/1.0", "GET", "/", "map[] 0 y", "malformed request: there is more than one Host header"},
		"GET / HTTP/1.1\r\nOrigin: z\r\nX: " + strings.Repeat("x", http.DefaultMaxHeaderBytes): {
			one, "GET", "/", "map[Origin:[z]] 0 ", "header fields too large: the limit is 1048576 bytes",
		},
	} {
		c := dial(t, addr, raw)
		if res, _ := c.answer("GET"); res.status != http.StatusTeapot || !res.last {
			t.Errorf("%q is answered with %d", raw, res.status)
		}
		if got := <-told; got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}
