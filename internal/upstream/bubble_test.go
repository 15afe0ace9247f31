package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/tykctl/tykctl/internal/http1"
)

// pipes is a listener within the process, so that time can be made up.
type pipes struct{ *bufconn.Listener }

func newPipes() pipes { return pipes{bufconn.Listen(64 << 10)} }

func (p pipes) Accept() (net.Conn, error) {
	nc, err := p.Listener.Accept()
	return timed{nc}, err
}

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	nc, err := p.DialContext(ctx)
	return timed{nc}, err
}

// timed gives an error that is a time-out the name that every other connection's has.
type timed struct{ net.Conn }

func (t timed) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	return n, named(err)
}

func (t timed) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	return n, named(err)
}

func named(err error) error {
	if timedOut(err) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// way is how a request travels: from a client by a server of ours to a backend.
type way struct {
	front   string // http1, net/http, h2 or tls, which is h2 over TLS
	lean    bool
	backend string // http1, h2c or https, which is HTTP/2 over TLS, or https1
}

// ways are all that there are.
var ways = map[string]way{
	"http1 lean":     {"http1", true, "http1"},
	"http1 proxy":    {"http1", false, "http1"},
	"http1 to h2c":   {"http1", false, "h2c"},
	"http1 to https": {"http1", false, "https1"},
	"net/http lean":  {"net/http", true, "http1"},
	"net/http proxy": {"net/http", false, "http1"},
	"net/http h2c":   {"net/http", false, "h2c"},
	"h2 lean":        {"h2", true, "http1"},
	"h2 proxy":       {"h2", false, "http1"},
	"h2 to h2c":      {"h2", false, "h2c"},
	"TLS lean":       {"tls", true, "http1"},
	"TLS to https":   {"tls", false, "https"},
}

// connKey is the key of the connection in the context of a backend's request.
type connKey struct{}

// inBubble calls client in a bubble of synctest, where backend is behind a gateway
// that does nothing but forward, and returns what came of the request.
func (w way) inBubble(
	t *testing.T, change func(*Options), backend http.HandlerFunc, client func(t *testing.T, c *http.Client),
) (got error) {
	secure, trusting := certificate()
	synctest.Test(t, func(t *testing.T) {
		behind, before := newPipes(), newPipes()
		server := &http.Server{
			Handler: backend, Protocols: protocols(w.backend), ErrorLog: silent,
			ConnContext: func(ctx context.Context, nc net.Conn) context.Context { return context.WithValue(ctx, connKey{}, nc) },
		}
		go func() { _ = serveOn(server, behind, w.backend, secure) }()

		o := Options{
			Target: &url.URL{Scheme: "http", Host: "backend"}, H2C: w.backend == "h2c",
			ConnectTimeout: time.Second, ResponseTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute,
			IdleConnection: 4 * time.Second, BodyTimeout: 20 * time.Second,
			Logger: slog.New(slog.DiscardHandler),
		}
		if w.backend == "https" || w.backend == "https1" {
			o.Target.Scheme = "https"
		}
		if change != nil {
			change(&o)
		}
		u := New(o)
		u.lean = w.lean
		u.pool.dial = behind.dial
		tr := u.proxy.Transport.(*transport).current.Load()
		tr.DialContext, tr.TLSClientConfig = behind.dial, trusts(trusting)

		front := &http.Server{Protocols: protocols(w.front), ErrorLog: silent, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header()["Connection"] = nil
			if _, got = u.Forward(rw, r, Outgoing{Path: "/"}); got != nil {
				panic(http.ErrAbortHandler)
			}
		})}
		plain := http1.New(front)
		go func() {
			if w.front == "http1" {
				_ = plain.Serve(before)
			} else {
				_ = serveOn(front, before, w.front, secure)
			}
		}()

		scheme := "http://front/"
		if w.front == "tls" {
			scheme = "https://front/"
		}
		through := &http.Transport{Protocols: protocols(w.front), DialContext: before.dial, TLSClientConfig: trusts(trusting)}
		client(t, &http.Client{Transport: addressed{scheme, through}})
		time.Sleep(time.Hour) // until everybody has paused for the last time
		through.CloseIdleConnections()
		u.Drain()
		if err := errors.Join(plain.Close(), front.Close(), server.Close(), before.Close(), behind.Close()); err != nil {
			t.Error(err)
		}
	})
	return got
}

// certificate returns what a server of TLS and its client need.
var certificate = sync.OnceValues(func() (secure, trusting *tls.Config) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS, s.Client().Transport.(*http.Transport).TLSClientConfig
})

func trusts(c *tls.Config) *tls.Config {
	return &tls.Config{RootCAs: c.RootCAs, ServerName: "example.com"}
}

// addressed sends whatever it is given to one place.
type addressed struct {
	to      string
	through *http.Transport
}

func (a addressed) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	if r.URL, err = url.Parse(a.to); err != nil {
		return nil, err
	}
	return a.through.RoundTrip(r)
}

func protocols(name string) *http.Protocols {
	p := new(http.Protocols)
	switch name {
	case "h2", "h2c":
		p.SetUnencryptedHTTP2(true)
	case "tls", "https":
		p.SetHTTP2(true)
	default:
		p.SetHTTP1(true)
	}
	return p
}

func serveOn(s *http.Server, l net.Listener, name string, secure *tls.Config) error {
	switch name {
	case "tls", "https", "https1":
		s.TLSConfig = &tls.Config{Certificates: secure.Certificates}
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}
