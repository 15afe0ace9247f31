package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// late is how long a test waits for what must come, on a slow machine too.
const late = 20 * time.Second

// serve runs a server until the test ends.
func serve(t *testing.T, h http.HandlerFunc, change func(*http.Server), more ...func(*Server)) (*Server, string) {
	t.Helper()
	rest := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: late,
		IdleTimeout:       late,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	if change != nil {
		change(rest)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, ended := New(rest), make(chan error, 1)
	for _, change := range more {
		change(s)
	}
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), rest.Close()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), late)
		defer cancel()
		select {
		case <-s.wait():
		case <-ctx.Done():
			t.Error("connections are left")
		}
	})
	return s, l.Addr().String()
}

// client is a raw connection.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr, raw string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(late))
	c := &client{t, nc, bufio.NewReader(nc)}
	c.send(raw)
	return c
}

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatal(err)
	}
}

// answered is what is looked at of an answer.
type answered struct {
	status int
	header http.Header
	last   bool
}

// answer reads an answer whole.
func (c *client) answer(method string) (answered, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		c.t.Fatal(err)
	}
	return answered{res.StatusCode, res.Header, res.Close}, string(body)
}

// rest is the rest of what comes, up to the connection's end.
func (c *client) rest() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Errorf("the connection stays open: %v", err)
	}
	return string(rest)
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// isPlain tells whether this package's own writer is used.
func isPlain(w http.ResponseWriter) bool {
	_, ok := w.(*response)
	return ok
}
