package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

// conversing calls client in a bubble of synctest, over HTTP/2 from end to end. A
// client may stall for a second, the backend for an hour. It returns what came of
// the request.
func conversing(t *testing.T, backend http.HandlerFunc, client func(t *testing.T, c *http.Client)) (got error) {
	synctest.Test(t, func(t *testing.T) {
		var h2 http.Protocols
		h2.SetUnencryptedHTTP2(true)
		serve := func(h http.HandlerFunc) (s *http.Server, dial func(ctx context.Context, _, _ string) (net.Conn, error)) {
			s = &http.Server{Handler: h, Protocols: &h2}
			l := bufconn.Listen(64 << 10) // within the process, so that time can be made up
			go func() { _ = s.Serve(l) }()
			return s, func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) }
		}
		behind, toBackend := serve(backend)
		u := New(Options{
			Target: &url.URL{Scheme: "http", Host: "backend"}, H2C: true,
			ConnectTimeout: time.Second, ResponseTimeout: time.Hour, IdleTimeout: time.Hour, BodyTimeout: time.Second,
			Logger: slog.New(slog.DiscardHandler),
		})
		u.proxy.Transport.(*transport).current.Load().DialContext = toBackend
		front, toFront := serve(func(w http.ResponseWriter, r *http.Request) {
			if _, got = u.Forward(w, r, Outgoing{Path: "/"}); got != nil {
				panic(http.ErrAbortHandler)
			}
		})
		c := &http.Client{Transport: &http.Transport{Protocols: &h2, DialContext: toFront}}
		client(t, c)
		synctest.Wait()
		c.CloseIdleConnections()
		u.Drain()
		if err := errors.Join(front.Close(), behind.Close()); err != nil {
			t.Error(err)
		}
	})
	return got
}

// Once the backend has begun to answer, neither side needs to speak: the other may
// be the next to.
func TestConversationMayFallSilent(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		for piece := make([]byte, 4); ; {
			_ = http.NewResponseController(w).Flush()
			if _, err := io.ReadFull(r.Body, piece); err != nil {
				return
			}
			_, _ = w.Write(piece)
		}
	}
	err := conversing(t, echo, func(t *testing.T, c *http.Client) {
		body, say := io.Pipe()
		res, err := c.Post("http://front/", "", body)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for range 2 {
			time.Sleep(24 * time.Hour)
			_, _ = io.WriteString(say, "ping")
			if _, err := io.ReadFull(res.Body, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
		}
		_ = say.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// The backend may have the last word: what it ends is over at once for the client,
// who has not, and nothing reads what that goes on to say.
func TestBackendEndsAConversation(t *testing.T) {
	for name, tt := range map[string]struct {
		end     func()
		whole   bool
		outcome error
	}{
		"in order": {func() {}, true, nil},
		"abruptly": {func() { panic(http.ErrAbortHandler) }, false, ErrCut},
	} {
		t.Run(name, func(t *testing.T) {
			got := conversing(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", "Status")
				_, _ = io.CopyN(w, r.Body, 4)
				_ = http.NewResponseController(w).Flush()
				_, _ = io.CopyN(io.Discard, r.Body, 4)
				w.Header().Set("Status", "done")
				tt.end()
			}, func(t *testing.T, c *http.Client) {
				body, say := io.Pipe()
				go func() { _, _ = io.WriteString(say, "ping") }()
				res, err := c.Post("http://front/", "", body)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				_, _ = io.WriteString(say, "pong")
				start := time.Now()
				_, err = io.Copy(io.Discard, res.Body)
				if whole := err == nil && res.Trailer.Get("Status") == "done"; whole != tt.whole {
					t.Errorf("%v, trailer %v", err, res.Trailer)
				}
				if late := time.Since(start); late != 0 {
					t.Errorf("after %s", late)
				}
			})
			if !errors.Is(got, tt.outcome) || errors.Is(got, ErrBody) {
				t.Errorf("%v, want %v", got, tt.outcome)
			}
		})
	}
}

// Until then a client that stalls is left; but its time runs only while it is
// waited for, not while the backend takes what it has sent.
func TestWhoStallsInAnUpload(t *testing.T) {
	for name, tt := range map[string]struct {
		sent    int // bytes, after which the client says no more
		backend time.Duration
		want    error
	}{
		"the client":            {4, 0, ErrBodyTimeout},
		"the backend":           {8 << 20, time.Minute, nil},
		"the backend, for long": {8 << 20, 24 * time.Hour, ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			got := conversing(t, func(_ http.ResponseWriter, r *http.Request) {
				wait := time.NewTimer(tt.backend)
				defer wait.Stop()
				select {
				case <-wait.C:
				case <-r.Context().Done():
				}
				_, _ = io.CopyN(io.Discard, r.Body, 8<<20)
			}, func(_ *testing.T, c *http.Client) {
				body, say := io.Pipe()
				go func() { _, _ = say.Write(make([]byte, tt.sent)) }()
				if res, err := c.Post("http://front/", "", body); err == nil {
					res.Body.Close()
				}
				_ = say.Close()
			})
			if !errors.Is(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
