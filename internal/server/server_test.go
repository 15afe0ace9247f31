package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tykctl/tykctl/internal/certtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const late = 20 * time.Second

// run serves handler with the given options, until the test or stop ends it.
func run(t *testing.T, handler http.HandlerFunc, change func(*Options)) (s *Server, stop func() error) {
	t.Helper()
	o := Options{
		Addr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
		Timeouts:    Timeouts{ReadHeader: late, Read: late, Write: late, Idle: late},
		Connections: 100, MetricsConnections: 10,
		DrainTimeout: late,
		OnDrain:      func() {},
		Logger:       slog.New(slog.DiscardHandler),
	}
	change(&o)
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, handler, http.NotFoundHandler()) }()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return s, stop
}

func dial(t *testing.T, s *Server, raw string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	return c
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// answer reads an answer, and reports whether it is the last on its connection.
func answer(t *testing.T, c net.Conn) (last bool) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.Close
}

func TestFurtherClientsWait(t *testing.T) {
	var log strings.Builder
	s, _ := run(t, func(http.ResponseWriter, *http.Request) {}, func(o *Options) {
		o.Connections = 1
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	first := dial(t, s, get)
	answer(t, first)
	second := dial(t, s, get)
	answered := make(chan bool)
	go func() { answered <- answer(t, second) }()
	select {
	case <-answered:
		t.Fatal("two clients are connected")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	<-answered
	if n := strings.Count(log.String(), "server.max_connections"); n != 1 {
		t.Errorf("said %d times that the connections are taken:\n%s", n, log.String())
	}
}

// Nor is one waited for after net/http has lifted the deadline: it does so between
// requests, after a handshake, and when a connection is hijacked.
func TestAClientThatDoesNotReadIsLeft(t *testing.T) {
	const short = 50 * time.Millisecond
	flood := func(w io.Writer) error {
		for piece := make([]byte, 1<<20); ; {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
	}
	for _, tt := range []struct {
		name  string
		files TLS
		field string
		flood func(w http.ResponseWriter) error
	}{
		{"plain", TLS{}, "", func(w http.ResponseWriter) error { return flood(w) }},
		{"not plain", TLS{}, "Expect: 100-continue\r\n", func(w http.ResponseWriter) error { return flood(w) }},
		{"TLS", selfSigned(t), "", func(w http.ResponseWriter) error { return flood(w) }},
		{"hijacked", TLS{}, "Upgrade: websocket\r\n", func(w http.ResponseWriter) error {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			defer c.Close()
			return flood(c)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failed := make(chan error, 1)
			s, _ := run(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/first" { // after which the time-out has just begun
					return
				}
				failed <- tt.flood(w)
			}, func(o *Options) { o.Timeouts.Write, o.TLS = short, tt.files })
			c := dial(t, s, "")
			if tt.files != (TLS{}) {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			if _, err := io.WriteString(c, "GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n"+tt.field+"\r\n"); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-failed:
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
			case <-time.After(late):
				c.Close()
				t.Errorf("it is waited for; then: %v", <-failed)
			}
		})
	}
}

// What net/http and crypto/tls want a write to take, such as the last alert of a
// connection that is closed, counts.
func TestADeadlineSetFromOutsideStays(t *testing.T) {
	near, far := net.Pipe() // on which a write lasts until it is read
	defer far.Close()
	c := &frontConn{Conn: near, write: time.Hour, born: time.Now()}
	defer near.Close()
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestABodyThatStallsIsNotWaitedFor(t *testing.T) {
	s, _ := run(t, func(http.ResponseWriter, *http.Request) {}, func(o *Options) { o.Timeouts.Read = 50 * time.Millisecond })
	// The handler does not read the body; the server would, to the end.
	c := dial(t, s, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	answer(t, c)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// A stream may last longer than any time-out, as long as it moves.
func TestStreamsLive(t *testing.T) {
	const each = 200 * time.Millisecond
	s, _ := run(t, func(w http.ResponseWriter, _ *http.Request) {
		tick := time.NewTicker(each / 4)
		defer tick.Stop()
		for range 8 {
			<-tick.C
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
	}, func(o *Options) { o.Timeouts.Read, o.Timeouts.Write = each, each })
	c := dial(t, s, get)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if string(body) != "xxxxxxxx" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

func TestWhileDrainingEachAnswerIsTheLastOnItsConnection(t *testing.T) {
	s, stop := run(t, func(http.ResponseWriter, *http.Request) {}, func(o *Options) { o.DrainDelay = 500 * time.Millisecond })
	idle := dial(t, s, get)
	if answer(t, idle) {
		t.Error("closed before the drain")
	}
	go func() { _ = stop() }()
	for tick := time.Tick(time.Millisecond); s.Ready() == nil; <-tick {
	}
	for _, c := range []net.Conn{idle, dial(t, s, "")} { // one that was there, and one that comes
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
		if !answer(t, c) {
			t.Error("the connection is to go on")
		}
	}
}

func TestDrainWaitsForTunnels(t *testing.T) {
	draining, opened := make(chan struct{}), make(chan struct{})
	s, stop := run(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		close(opened)
		<-draining
		_, _ = io.WriteString(c, "farewell")
	}, func(o *Options) { o.OnDrain = func() { close(draining) } })
	c := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
	<-opened
	if err := stop(); err != nil {
		t.Error(err)
	}
	if said, err := io.ReadAll(c); string(said) != "farewell" {
		t.Errorf("%q, %v", said, err)
	}
}

func TestAnAnswerThatIsGivenUpHasNoCleanEnd(t *testing.T) {
	s, _ := run(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, func(*Options) {})
	for _, request := range []string{get, "GET / HTTP/1.0\r\n\r\n"} {
		res, err := http.ReadResponse(bufio.NewReader(dial(t, s, request)), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("%s takes %q for the whole", res.Proto, body)
		}
	}
}

// Whatever panics is in the log, with its stack and without its value, which net/http
// would print.
func TestPanicsAreLogged(t *testing.T) {
	const secret = "s3cret-c4nary"
	for name, tt := range map[string]struct {
		files  TLS
		fields string
	}{
		"plain":     {},
		"not plain": {fields: "Expect: 100-continue\r\n"},
		"refused":   {fields: " folded\r\n"},
		"TLS":       {files: selfSigned(t)},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			s, stop := run(t, func(http.ResponseWriter, *http.Request) { panic(secret) }, func(o *Options) {
				o.TLS, o.Logger = tt.files, slog.New(slog.NewTextHandler(&log, nil))
				o.Refuse = func(http.ResponseWriter, *http.Request, error) { panic(secret) }
			})
			c := dial(t, s, "")
			if tt.files != (TLS{}) {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+tt.fields+"\r\n"); err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(c); len(answer) > 0 {
				t.Errorf("%q, %v", answer, err)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			text := log.String()
			if !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "server_test.go") || strings.Contains(text, secret) {
				t.Errorf("log: %s", text)
			}
		})
	}
}

func TestFilesLeaveRoom(t *testing.T) {
	for _, limit := range []int{64, 128, 256, 1024, 65536, manyDescriptors} {
		f := shareFiles(limit, 0, 0)
		// The worst: every client has a request under way by one way to the backend, after
		// as many have left their connections idle on the other.
		if need := f.Connections + 2*f.InFlight + f.Metrics + 2*f.Redis + ownFiles; need > limit || f.Connections < limit/8 {
			t.Errorf("of %d files %d may be needed: %+v", limit, need, f)
		}
		if warned := f.Warning() != ""; warned != (limit < 1024) {
			t.Errorf("%d files: %q", limit, f.Warning())
		}
	}
	if f := shareFiles(1024, 7, 8); f.Connections != 7 || f.InFlight != 8 || f.Warning() != "" {
		t.Errorf("%+v, %q; want what was set", f, f.Warning())
	}
	if f := shareFiles(1024, 1000, 8); f.Warning() == "" {
		t.Error("no warning of more connections than files")
	}
}

func selfSigned(t *testing.T) TLS {
	t.Helper()
	cert, key := certtest.SelfSigned(t)
	return TLS{Cert: cert, Key: key}
}
