package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A request that was there before its predecessor was answered is under way like any.
func TestShutdownWaitsForAPipelinedRequest(t *testing.T) {
	s, addr, under, let := serveSlowly(t)
	c := dial(t, addr, get+"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-under
	ended := make(chan error)
	go func() { ended <- s.Shutdown(t.Context()) }()
	eventually(t, func() bool { // Shutdown has looked at each connection
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.drained != nil
	})
	close(let)
	for range 2 {
		if _, body := c.answer("GET"); body != "true GET " {
			t.Error(body)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// idling is a connection of a server of its own that awaits another request, and the
// client's end of it.
func idling(t *testing.T) (*conn, net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	c := newConn(New(&http.Server{ReadHeaderTimeout: late, IdleTimeout: late}), near)
	c.rest()
	return c, far
}

// Whoever closes an idle connection has decided that no request is under way.
func TestARequestComesAsItsConnectionIsClosed(t *testing.T) {
	c, far := idling(t)
	c.state.Store(closed)
	go func() { _, _ = far.Write([]byte(get)) }()
	if err := c.next(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it is read: %v", err)
	}
}

// A connection that becomes idle too late for Shutdown to see closes itself.
func TestAConnectionBecomesIdleDuringTheShutdown(t *testing.T) {
	c, _ := idling(t)
	c.server.closing.Store(true)
	if c.rest() {
		t.Error("it waits for another request")
	}
}

// A deadline from before is moved when it has passed, and when it is later than the
// connection may be idle, but not for each request.
func TestTheDeadlineOfAnIdleConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		left time.Duration // from when it has become idle
		kept bool
	}{
		"past":   {-time.Second, false},
		"later":  {2 * late, false},
		"sooner": {late / 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := idling(t)
			before := c.since.Add(tt.left)
			if err := c.setReadDeadline(before); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = far.Write([]byte(get)) }()
			if err := c.awaitFirst(); err != nil {
				t.Fatal(err)
			}
			want := c.since.Add(late)
			if tt.kept {
				want = before
			}
			if !c.deadline.Equal(want) {
				t.Errorf("it is %v after, want %v", c.deadline.Sub(c.since), want.Sub(c.since))
			}
		})
	}
}

// All of a header has one time-out: a client that sends byte by byte gains nothing.
func TestTheTimeOfAHeaderIsNotExtended(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	counting := &countingConn{Conn: near}
	c := newConn(New(&http.Server{ReadHeaderTimeout: late, IdleTimeout: late}), counting)
	c.rest()
	go func() {
		for i := range len(get) {
			_, _ = far.Write([]byte(get[i : i+1]))
		}
	}()
	if err := c.next(); err != nil {
		t.Fatal(err)
	}
	if counting.deadlines != 2 { // that of being idle, and the header's
		t.Errorf("%d deadlines were set", counting.deadlines)
	}
}

// countingConn counts how often its deadline was set.
type countingConn struct {
	net.Conn
	deadlines int
}

func (c *countingConn) SetReadDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetReadDeadline(t)
}

// A client that still sends is listened to for a while, or it might be reset before
// it has read the answer.
func TestWhoStillSendsIsListenedTo(t *testing.T) {
	for name, tt := range map[string]struct {
		request string
		long    bool
	}{
		"a body":                  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", true},
		"perhaps another request": {get, true},
		"nothing any more":        {strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				s := New(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Connection", "close")
					w.WriteHeader(http.StatusForbidden)
				})})
				c := newConn(s, near)
				s.add(c)
				go c.serve()
				begun := time.Now()
				_, _ = io.WriteString(far, tt.request)
				res, err := http.ReadResponse(bufio.NewReader(far), nil)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				for err == nil {
					_, err = io.WriteString(far, "x")
					time.Sleep(linger / 10)
				}
				if took := time.Since(begun); took >= linger != tt.long || took > 2*linger {
					t.Errorf("it was listened to for %v", took)
				}
				<-s.wait()
			})
		})
	}
}

func TestALargeBufferIsGivenBack(t *testing.T) {
	c, far := idling(t)
	c.buf = make([]byte, middleHead)
	go func() { _, _ = far.Write([]byte(get)) }()
	if err := c.next(); err != nil || len(c.buf) != readBuffer {
		t.Errorf("%v; it has %d bytes", err, len(c.buf))
	}
}

// So is one whose connection was handed over: it gets to the answer's end, and only
// then may what it still sends reset the connection.
func TestAClientThatStillSendsBehindTheHandover(t *testing.T) {
	long := "100000\r\n" + strings.Repeat("x", 1<<20)
	for name, fields := range map[string]string{
		"chunks":              "Transfer-Encoding: chunked\r\n",
		"chunks, expecting":   "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
		"a length, expecting": "Content-Length: 2000000\r\nExpect: 100-continue\r\n",
	} {
		for _, piece := range []int{0, 1000} {
			t.Run(fmt.Sprintf("%s, %d bytes read", name, piece), func(t *testing.T) {
				s, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.ReadFull(r.Body, make([]byte, piece))
					_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // it takes no more
					w.WriteHeader(http.StatusUnauthorized)
				}, nil)
				c := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\n"+fields+"\r\n"+long[:64<<10])
				if piece > 0 && strings.Contains(fields, "Expect") {
					c.answer("POST") // to go on
				}
				if res, _ := c.answer("POST"); res.status != http.StatusUnauthorized {
					t.Errorf("%d", res.status)
				}
				if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("behind the answer: %v", err)
				}
				c.Close()
				if err := s.rest.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
