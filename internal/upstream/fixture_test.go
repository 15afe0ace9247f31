package upstream

import (
	"bufio"
	"context"
	"errors"
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

	"go.uber.org/goleak"

	"github.com/tykctl/tykctl/internal/http1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// paths are the two ways a request may take, each behind net/http's server and
// behind ours; what is said of one holds of all.
var paths = []string{"lean", "proxy", "lean" + behindHTTP1, "proxy" + behindHTTP1}

const behindHTTP1 = " behind http1"

// overAll runs a test over all ways.
func overAll(t *testing.T, test func(t *testing.T, path string)) {
	for _, path := range paths {
		t.Run(path, func(t *testing.T) { test(t, path) })
	}
}

// front is a server that does nothing but forward, and notes what came of it.
type front struct {
	*httptest.Server
	*Upstream
	outcomes chan outcome
}

type outcome struct {
	Result
	err error
}

// newFront forwards to addr over the given path. Its answers say X-Own: ours.
func newFront(t *testing.T, path, addr string, change ...func(*Options)) *front {
	t.Helper()
	o := Options{
		Target:          &url.URL{Scheme: "http", Host: addr},
		ConnectTimeout:  5 * time.Second,
		ResponseTimeout: 20 * time.Second,
		IdleTimeout:     20 * time.Second,
		IdleConnection:  20 * time.Second,
		BodyTimeout:     20 * time.Second,
		Logger:          slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	f := &front{Upstream: New(o), outcomes: make(chan outcome, 64)}
	way, plainly := strings.CutSuffix(path, behindHTTP1)
	f.lean = f.lean && way == "lean"
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.Config.Protocols = new(http.Protocols)
	f.Config.Protocols.SetHTTP1(true)
	f.Config.Protocols.SetUnencryptedHTTP2(true)
	if plainly {
		f.startHTTP1(t)
	} else {
		f.Start()
		t.Cleanup(f.Close)
	}
	t.Cleanup(f.Drain)
	return f
}

func (f *front) startHTTP1(t *testing.T) {
	s, ended := http1.New(f.Config), make(chan error, 1)
	f.URL = "http://" + f.Listener.Addr().String()
	go func() { ended <- s.Serve(f.Listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		// It waits for connections that linger.
		if err := errors.Join(s.Close(), f.Config.Shutdown(ctx), <-ended); !errors.Is(err, http.ErrServerClosed) || ctx.Err() != nil {
			t.Error(err)
		}
	})
}

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Own", "ours")
	path, query, found := strings.Cut(r.RequestURI, "?")
	if found {
		query = "?" + query
	}
	res, err := f.Forward(w, r, Outgoing{
		Path: path, Query: query, RequestID: "the-id",
		ForwardedFor: "192.0.2.7", ForwardedHost: "client.example", ForwardedProto: "https",
	})
	f.outcomes <- outcome{res, err}
	switch {
	case errors.Is(err, ErrCut):
		panic(http.ErrAbortHandler)
	case err != nil:
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// outcome is what became of the next request that was forwarded.
func (f *front) outcome(t *testing.T) outcome {
	t.Helper()
	select {
	case o := <-f.outcomes:
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("no request was forwarded")
		return outcome{}
	}
}

// dial sends raw bytes to the front and returns the connection.
func (f *front) dial(t *testing.T, raw string) *wire {
	t.Helper()
	nc, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	w := &wire{nc, bufio.NewReader(nc)}
	w.send(t, raw)
	return w
}

// wire is the client's side of a raw connection.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func (w *wire) send(t *testing.T, raw string) {
	t.Helper()
	if _, err := io.WriteString(w, raw); err != nil {
		t.Fatal(err)
	}
}

// reply is an answer without its body.
type reply struct {
	StatusCode      int
	Header, Trailer http.Header
	Close           bool
}

// answer reads one answer; its body is read to the end, or to what went wrong.
func (w *wire) answer(t *testing.T, method string) (reply, string, error) {
	t.Helper()
	res, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		return reply{}, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, res.Trailer, res.Close}, string(body), err
}

// script is a backend in raw bytes: it is called for each connection.
type script struct {
	addr string
	mu   sync.Mutex
	seen []string // first lines of the requests
	met  int      // connections
}

// peer is one connection to a script.
type peer struct {
	net.Conn
	in  *bufio.Reader
	s   *script
	nth int // among the connections, from 1
}

func newScript(t *testing.T, play func(p *peer)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{addr: l.Addr().String()}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.met++
			p := &peer{nc, bufio.NewReader(nc), s, s.met}
			s.mu.Unlock()
			conns.Go(func() {
				defer nc.Close()
				play(p)
			})
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return s
}

// request reads a request's header, and returns it, or "" when none comes.
func (p *peer) request() string {
	var head strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return ""
		}
		head.WriteString(line)
		if line == "\r\n" {
			first, _, _ := strings.Cut(head.String(), "\r\n")
			p.s.mu.Lock()
			p.s.seen = append(p.s.seen, first)
			p.s.mu.Unlock()
			return head.String()
		}
	}
}

func (p *peer) say(raw string) { _, _ = io.WriteString(p, raw) }

// untilClosed waits for the gateway to close.
func (p *peer) untilClosed() { _, _ = io.Copy(io.Discard, p.in) }

func (s *script) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func (s *script) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.met
}

// saying is a backend that answers every request with the same bytes.
func saying(t *testing.T, raw string, thenCloses bool) *script {
	return newScript(t, func(p *peer) {
		for p.request() != "" {
			p.say(raw)
			if thenCloses {
				return
			}
		}
	})
}

// get is a request in raw bytes.
func get(fields ...string) string { return request("GET", fields...) }

func request(method string, fields ...string) string {
	raw := method + " /a%20b/c?x=1&y=%zz HTTP/1.1\r\nHost: front\r\n"
	for _, f := range fields {
		raw += f + "\r\n"
	}
	return raw + "\r\n"
}

func short(o *Options) { o.ResponseTimeout, o.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond }

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
