package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A body that the client cuts off must not pass for a whole one.
func TestABodyIsCut(t *testing.T) {
	cut := make(chan error, 1)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		cut <- err
	}, nil)
	c := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if err := <-cut; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// A client to which nothing can be written has left.
func TestAnAnswerThatCannotBeWritten(t *testing.T) {
	ended := make(chan error, 2)
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var err error
		for piece := make([]byte, 64<<10); err == nil; {
			_, err = w.Write(piece)
		}
		ended <- r.Context().Err()
		_, err = w.Write([]byte("x"))
		ended <- err
	}, nil)
	dial(t, addr, get).Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("it can be written to again")
	}
}

// What a handler says of the connection does not keep one that the client ends.
func TestTheClientsLastRequest(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "keep-alive")
		w.Header().Set("Content-Length", "0")
	}, nil)
	c := dial(t, addr, strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)+get)
	if res, _ := c.answer("GET"); !res.last {
		t.Error("it does not say that it is the last")
	}
	if rest := c.rest(); rest != "" {
		t.Errorf("more came: %q", rest)
	}
}

// What is written when the handler has returned belongs to no answer.
func TestALateWriter(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	writers := make(chan http.ResponseWriter, 1)
	c := newConn(New(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writers <- w })}), near)
	go func() {
		_, _ = io.WriteString(far, get)
		_, _ = io.Copy(io.Discard, far)
	}()
	if err := c.next(); err != nil || !c.exchange() {
		t.Fatal("it is not answered", err)
	}
	near.Close() // at which a write fails, too
	w := <-writers
	w.WriteHeader(http.StatusTeapot)
	if _, err := w.Write(make([]byte, 3*writeBuffer)); !errors.Is(err, errAnswered) {
		t.Error(err)
	}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, errAnswered) {
		t.Error(err)
	}
}

func TestALargeHeaderAndABody(t *testing.T) {
	long := strings.Repeat("x", 3*writeBuffer)
	_, addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", long)
		_, _ = io.WriteString(w, "hello")
	}, nil)
	if res, body := dial(t, addr, get).answer("GET"); body != "hello" || res.header.Get("X-Long") != long {
		t.Errorf("%q", body)
	}
}

// What is left of a body when its handler has returned is nobody's.
func TestABodyEndsWithItsHandler(t *testing.T) {
	bodies := make(chan io.Reader, 1)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { bodies <- r.Body }, nil)
	c := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
	c.answer("POST")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.rest() // behind it the connection is closed
	if _, err := (<-bodies).Read(make([]byte, 5)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Error(err)
	}
}

// What an answer was put together in is not kept while its connection is idle.
func TestAnIdleConnectionHasNoBufferForAnswers(t *testing.T) {
	for _, size := range []int{1, 3 * writeBuffer} {
		c, far := idling(t)
		c.server.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", size))
		})
		go func() { _, _ = io.Copy(io.Discard, far) }()
		go func() { _, _ = io.WriteString(far, get) }()
		if err := c.next(); err != nil || !c.exchange() || c.w.out != nil {
			t.Errorf("room for %d bytes is left, %v", cap(c.w.out), err)
		}
	}
}

func TestAHandoverToAServerThatIsClosed(t *testing.T) {
	s := New(&http.Server{})
	if err := s.over.Close(); err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	s.over.give(near)
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection stays open: %v", err)
	}
}

// A deadline of writing is its handler's alone.
func TestNoDeadlineIsLeftForAnAnswer(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tell(w, r)
		if r.URL.Path == "/hurried" {
			answer := http.NewResponseController(w)
			if err := errors.Join(answer.Flush(), answer.SetWriteDeadline(time.Unix(1, 0))); err != nil {
				t.Error(err)
			}
		}
	}, nil)
	c := dial(t, addr, "GET /hurried HTTP/1.1\r\nHost: x\r\n\r\n"+get)
	for range 2 {
		if _, body := c.answer("GET"); body != "true GET " {
			t.Error(body)
		}
	}
}
