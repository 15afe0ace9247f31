package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

const (
	readBuffer = 4 << 10
	middleHead = 16 << 10 // few headers exceed it
	// patience is how long a handler may run before the connection is watched for the
	// client leaving, if anybody asked for the context's Done. Watching needs a
	// goroutine, and most requests are over sooner.
	patience = 50 * time.Millisecond
	// linger is how long the rest of a request is read after the response, so that the
	// client can read the response: bytes on a closed connection would reset it.
	linger = 500 * time.Millisecond
	// parting is how long a request lives on after its client has closed its side of
	// the connection. The client may have closed only that side, as one with a single
	// request does, or all of it: only a write shows which.
	parting = time.Second
)

// The states of a connection.
const (
	busy   int32 = iota // new, or with a request under way
	idle                // waiting for the first byte of another request
	closed              // by Shutdown, while it was idle
)

// conn is a client's connection. It holds all that its requests need, one at a time.
type conn struct {
	net.Conn
	server *Server
	state  atomic.Int32
	since  time.Time // when it was made or became idle
	later  bool      // it has had a request

	own        []byte
	buf        []byte // own, or a larger borrowed one
	start, end int    // buf[start:end] was read but not used

	deadlines sync.Mutex // orders read deadlines
	deadline  time.Time  // the last read deadline

	r     *request // the one under way; nil between two
	fault error    // why it is refused
	blank http.Request
	w     response
}

// request is what a handler gets. No part of it is reused: a goroutine that a handler
// leaves behind may still read it.
type request struct {
	*http.Request
	conn   *conn
	ctx    requestContext
	body   body
	old    bool // HTTP/1.0
	url    url.URL
	values [16]string // the first values of its header
	used   int
}

func newConn(s *Server, nc net.Conn) *conn {
	if s.tls != nil {
		nc = tls.Server(nc, s.tls) // serve does the handshake
	}
	c := &conn{Conn: nc, server: s, since: time.Now(), own: make([]byte, readBuffer)}
	c.buf = c.own
	c.blank = http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, RemoteAddr: nc.RemoteAddr().String(),
	}
	c.w = response{conn: c, header: http.Header{}}
	return c
}

// serve answers requests until the connection ends or is handed over.
func (c *conn) serve() {
	given := false
	defer func() { // also when a handler ends this goroutine
		if !given {
			_ = c.Close()
		}
		c.server.forget(c)
	}()
	if secure, ok := c.Conn.(*tls.Conn); ok {
		protocol, err := c.handshake(secure)
		if err != nil {
			return
		}
		if protocol == "h2" {
			given = true
			c.server.over.give(secure)
			return
		}
	}
	for {
		err := c.next()
		switch {
		case errors.Is(err, errNotPlain):
			given = true
			_ = c.setReadDeadline(time.Time{})
			c.server.over.give(rewind(c.Conn, bytes.Clone(c.buf[c.start:c.end])))
			return
		case refusable(err):
			c.refuse(err)
			return
		case err != nil || !c.exchange() || !c.rest():
			return
		}
	}
}

// refuse responds to a request that could not be read. It keeps what glean takes from
// it. The request is the last on its connection, because nobody knows where the next
// would begin.
func (c *conn) refuse(fault error) {
	c.fault, c.r = fault, c.newRequest()
	c.r.glean(string(c.buf[c.start:c.end]))
	c.r.Close = true
	c.r.body.ended.Store(true)
	c.exchange()
}

// rest prepares for another request. It reports false if there must be none.
func (c *conn) rest() bool {
	c.later, c.since = true, time.Now()
	if c.start == c.end {
		c.state.Store(idle)
	}
	return !c.server.closing.Load() // checked after the state is idle, or Shutdown could miss it
}

// next reads a request as far as its body.
func (c *conn) next() error {
	head, err := c.readHead()
	if err != nil {
		return err
	}
	r := c.newRequest()
	c.r = r
	if err := r.parseHead(head); err != nil {
		return err
	}
	c.start += len(head)
	if r.body.left = r.ContentLength; r.body.left > 0 {
		r.Body = &r.body
	} else {
		r.body.ended.Store(true)
	}
	if r.body.left > int64(c.end-c.start) {
		// The header's deadline does not apply to the body, and that of an ended watch has passed.
		return c.setReadDeadline(time.Time{})
	}
	return nil
}

func (c *conn) newRequest() *request {
	r := &request{conn: c}
	r.ctx.of, r.body.of = r, r
	r.Request = c.blank.WithContext(&r.ctx)
	r.Header, r.URL = http.Header{}, &r.url
	return r
}

// readHead reads up to the empty line that ends a header. The bytes it returns stay in
// the buffer.
func (c *conn) readHead() (string, error) {
	scanned := 0 // bytes known to be whole lines
	if c.start == c.end {
		if err := c.awaitFirst(); err != nil {
			return "", err
		}
	}
	for begun, checked := false, false; ; {
		head := c.buf[c.start:c.end]
		var ended bool
		var err error
		if scanned, ended, err = httpsyntax.ScanHead(head, scanned); err != nil {
			return "", malformed("a line of the header ends in LF alone")
		}
		if ended {
			return string(head[:scanned]), nil
		}
		if !checked {
			checked = scanned > 0
			if err := c.checkStart(head, scanned); err != nil {
				return "", err
			}
		}
		if !begun && c.later {
			begun = true
			if err := c.allow(c.server.rest.ReadHeaderTimeout, time.Now()); err != nil {
				return "", err
			}
		}
		if err := c.fill(); err != nil {
			return "", err
		}
	}
}

// awaitFirst reads the first bytes of a request. On a new connection the whole first
// header must arrive within ReadHeaderTimeout.
func (c *conn) awaitFirst() error {
	c.giveBack()
	c.start, c.end = 0, 0
	timeout := c.server.rest.IdleTimeout
	if !c.later {
		timeout = c.server.rest.ReadHeaderTimeout
	}
	// An earlier deadline that is sooner stays until it has passed: to move it for each
	// request would cost more.
	if c.deadline.IsZero() || timeout == 0 || c.deadline.After(c.since.Add(timeout)) || !c.deadline.After(c.since) {
		if err := c.allow(timeout, c.since); err != nil {
			return err
		}
	}
	for {
		n, err := c.Read(c.buf)
		c.end = n
		if n > 0 {
			if c.later && !c.state.CompareAndSwap(idle, busy) {
				return net.ErrClosed
			}
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || timeout > 0 && time.Since(c.since) >= timeout {
			return err
		}
		if err := c.allow(timeout, c.since); err != nil {
			return err
		}
	}
}

// fill reads more of a header.
func (c *conn) fill() error {
	switch {
	case c.end < len(c.buf):
	case c.start > 0:
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	case len(c.buf) == readBuffer:
		larger := heads.Get().(*[middleHead]byte)
		copy(larger[:], c.buf)
		c.buf = larger[:]
	case len(c.buf) < c.server.maxHead:
		larger := make([]byte, c.server.maxHead)
		copy(larger, c.buf)
		c.giveBack()
		c.buf = larger
	case bytes.IndexByte(c.buf, '\n') < 0:
		return fmt.Errorf("%w: the limit is %d bytes", ErrTargetTooLong, c.server.maxHead)
	default:
		return fmt.Errorf("%w: the limit is %d bytes", ErrHeaderTooLarge, c.server.maxHead)
	}
	n, err := c.Read(c.buf[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

var heads = sync.Pool{New: func() any { return new([middleHead]byte) }}

// giveBack switches back to c's own buffer when the larger one is empty.
func (c *conn) giveBack() {
	if len(c.buf) == middleHead {
		heads.Put((*[middleHead]byte)(c.buf))
	}
	c.buf = c.own
}

// exchange lets the handler answer a request. It reports whether the connection can
// take another.
func (c *conn) exchange() (another bool) {
	answered := false
	defer func() {
		if !answered {
			c.abort(recover())
			another = false
		}
	}()
	c.w.begin()
	if c.fault != nil {
		c.server.refuse(&c.w, c.r.Request, c.fault)
	} else {
		c.server.handler.ServeHTTP(&c.w, c.r.Request)
	}
	answered = true
	c.r.ctx.finish()
	another = c.w.finish()
	left := c.finishBody()
	if !another && (left || c.start < c.end || !c.r.Close || c.fault != nil) { // else the client knows that this was its last
		c.lingerOn()
	}
	c.r = nil
	return another // never after an unread body: the response said Connection: close
}

// finishBody ends the request body. It reports whether a part was not read.
func (c *conn) finishBody() (left bool) {
	if !c.r.body.remains() {
		return false
	}
	_ = c.setReadDeadline(time.Now()) // for a reader that is still active
	c.r.body.end()
	return true
}

// abort ends a connection whose handler panicked with p. p is nil if the handler ended
// its goroutine.
func (c *conn) abort(p any) {
	if err, ok := p.(error); p != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
		c.server.logf("http1: panic serving %v: %v\n%s", c.r.RemoteAddr, p, debug.Stack())
	}
	c.r.ctx.finish()
	c.finishBody()
	c.w.abort()
}

// lingerOn lets the client read the response before the connection ends.
func (c *conn) lingerOn() {
	if closeWrite(c.Conn) != nil || c.setReadDeadline(time.Now().Add(linger)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, c.Conn) // what still arrives does not matter
}

// allow sets the read deadline to timeout after from; 0 is none.
func (c *conn) allow(timeout time.Duration, from time.Time) error {
	if timeout == 0 {
		return c.setReadDeadline(time.Time{})
	}
	return c.setReadDeadline(from.Add(timeout))
}

func (c *conn) setReadDeadline(t time.Time) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.deadline = t
	return c.SetReadDeadline(t)
}
