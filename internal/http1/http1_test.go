package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// serveSlowly answers what is asked of /slow only once it is let, and says when it is
// under way.
func serveSlowly(t *testing.T) (s *Server, addr string, under <-chan bool, let chan<- bool) {
	begun, may := make(chan bool), make(chan bool)
	s, addr = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- true
			<-may
		}
		tell(w, r)
	}, nil)
	return s, addr, begun, may
}

func TestShutdown(t *testing.T) {
	s, addr, under, let := serveSlowly(t)
	slow := dial(t, addr, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"+get)
	other := dial(t, addr, "GET /slow HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")
	<-under
	<-under
	idle := dial(t, addr, get)
	idle.answer("GET")

	ended := make(chan error)
	go func() { ended <- errors.Join(s.Shutdown(t.Context()), s.rest.Shutdown(t.Context())) }()
	if rest := idle.rest(); rest != "" {
		t.Errorf("it says %q", rest)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("new connections are taken")
	}
	close(let)
	if _, body := slow.answer("GET"); body != "true GET " {
		t.Error(body)
	}
	if rest := slow.rest(); rest != "" {
		t.Errorf("another request was answered: %q", rest)
	}
	if _, body := other.answer("GET"); body != "false GET " {
		t.Error(body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// As at net/http's server, an answer during the shutdown says that it is the last.
func TestTheLastAnswerSaysSo(t *testing.T) {
	under, let := make(chan bool), make(chan bool)
	s, addr := serve(t, func(http.ResponseWriter, *http.Request) {
		under <- true
		<-let
	}, nil)
	c := dial(t, addr, get)
	<-under
	ended := make(chan error)
	go func() { ended <- s.Shutdown(t.Context()) }()
	eventually(t, s.closing.Load)
	close(let)
	if res, _ := c.answer("GET"); !res.last {
		t.Error("it does not")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAShutdownThatLastsTooLong(t *testing.T) {
	under := make(chan bool)
	s, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		under <- true
		<-r.Context().Done()
	}, nil)
	dial(t, addr, get)
	<-under
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Close, at the test's end, has the request end.
}

// The system may be out of descriptors for a while.
func TestAcceptingFailsForAWhile(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, ended := New(&http.Server{Handler: http.HandlerFunc(tell)}), make(chan error, 1)
	go func() { ended <- s.Serve(&failing{Listener: l}) }()
	dial(t, l.Addr().String(), get).answer("GET")
	if err := errors.Join(s.Close(), s.rest.Close()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

type failing struct {
	net.Listener
	failed atomic.Bool
}

func (f *failing) Accept() (net.Conn, error) {
	if f.failed.CompareAndSwap(false, true) {
		return nil, errOften
	}
	return f.Listener.Accept()
}

var errOften error = temporaryError{}

type temporaryError struct{}

func (temporaryError) Error() string   { return "out of descriptors" }
func (temporaryError) Temporary() bool { return true }

func BenchmarkServe(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := New(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"] = length2
		_, _ = io.WriteString(w, "Ok")
	})})
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	defer s.rest.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	in := bufio.NewReader(nc)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(nc, get); err != nil {
			b.Fatal(err)
		}
		for line := ""; line != "\r\n"; {
			if line, err = in.ReadString('\n'); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := in.Discard(2); err != nil {
			b.Fatal(err)
		}
	}
}

var length2 = []string{"2"}
