package upstream

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/http1"
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
	u := New(Options{
		Target:         &url.URL{Scheme: "https", Host: l.Addr().String()},
		ConnectTimeout: 20 * time.Second, ResponseTimeout: 20 * time.Second, BodyTimeout: 20 * time.Second,
		Logger: slog.New(slog.DiscardHandler),
	})
	defer u.Drain()
	u.proxy.Transport.(*http.Transport).TLSClientConfig = stock.Client().Transport.(*http.Transport).TLSClientConfig
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := http1.New(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := u.Forward(w, r, Outgoing{Path: "/"}); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})})
	wg.Go(func() { _ = s.Serve(front) })
	defer s.Close()

	nc, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(nc)
	padding := strings.Repeat("x", 5000)
	for i := range 50 {
		fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nAccept-A: %[1]s\r\nAuthorization: Bearer %d\r\n\r\n", padding, i)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("status %d", res.StatusCode)
		}
	}
}
