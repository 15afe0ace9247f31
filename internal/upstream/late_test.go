package upstream

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
	f.proxy.Transport.(*http.Transport).TLSClientConfig = stock.Client().Transport.(*http.Transport).TLSClientConfig
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
