package upstream

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A backend that answers before it has the whole request leaves a goroutine of
// net/http's client with the rest of it, while the server in front reads the next one
// on the connection: they must have nothing in common. The race detector tells.
func TestNothingOfARequestIsKept(t *testing.T) {
	stock := httptest.NewTLSServer(nil) // for its certificate
	defer stock.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: stock.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				_, _ = nc.Read(make([]byte, 1))
				_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOk")
				_, _ = io.Copy(io.Discard, nc)
			})
		}
	})
	f := newFront(t, "proxy"+behindHTTP1, l.Addr().String(), func(o *Options) { o.Target.Scheme = "https" })
	f.proxy.Transport.(*transport).current.Load().TLSClientConfig = stock.Client().Transport.(*http.Transport).TLSClientConfig
	padding := strings.Repeat("x", 5000)
	c := f.dial(t, "")
	for i := range 50 {
		c.send(t, fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nAccept-A: %[1]s\r\nAuthorization: Bearer %d\r\n\r\n", padding, i))
		if res, _, err := c.answer(t, "GET"); res.StatusCode != http.StatusOK || err != nil {
			t.Fatal(res.StatusCode, err)
		}
		<-f.outcomes
	}
}

// The same of a backend that speaks HTTP/2, and of bodies, whose rest is on its way.
func TestNothingOfABodyIsKept(t *testing.T) {
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.URL.Query().Get("read"), 10, 64)
		_, _ = io.CopyN(io.Discard, r.Body, n)
		_, _ = io.WriteString(w, r.URL.Query().Get("id"))
	}))
	backend.Config.Protocols = new(http.Protocols)
	backend.Config.Protocols.SetUnencryptedHTTP2(true)
	backend.Start()
	defer backend.Close()
	f := newFront(t, "proxy"+behindHTTP1, backend.Listener.Addr().String(), func(o *Options) { o.H2C = true })
	ask := func(t *testing.T, c *wire, raw, id string) reply {
		t.Helper()
		c.send(t, raw)
		res, body, err := c.answer(t, "POST")
		if res.StatusCode != http.StatusOK || body != id || err != nil {
			t.Fatalf("%d %q %v", res.StatusCode, body, err)
		}
		if o := f.outcome(t); o.err != nil {
			t.Error(o.err)
		}
		return res
	}
	for _, size := range []int{2, 5000, 300_000} {
		for halves := range 9 { // of the body, that are sent and that are read
			sent, read := size*(halves%3)/2, size*(halves/3)/2
			if read > sent {
				continue
			}
			t.Run(fmt.Sprintf("%d read of %d sent of %d", read, sent, size), func(t *testing.T) {
				head := fmt.Sprintf("POST /?id=first&read=%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", read, size)
				for range 5 {
					c := f.dial(t, "")
					if res := ask(t, c, head+strings.Repeat("x", sent), "first"); !res.Close {
						ask(t, c, "GET /?id=next HTTP/1.1\r\nHost: x\r\n\r\n", "next")
					}
				}
			})
		}
	}
}
