package server

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// listen opens a port. Its error says what is wrong and which option to set.
func listen(addr, key string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot listen on %s: the port is in use; stop the other program or set %s", addr, key)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot listen on %s: not permitted; set %s to a port above 1023", addr, key)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s (%s): %w", addr, key, err)
	}
	return l, nil
}

// cappedListener limits how many connections are open at a time; further clients wait
// in the system's queue. The client must accept each piece that is written to it within
// a time-out.
type cappedListener struct {
	net.Listener
	slots  chan struct{}
	write  time.Duration
	limit  string // the name of the limit
	logger *slog.Logger
	told   time.Time // when the log last said that the limit is reached

	closing sync.Once
	closed  chan struct{}
}

// tellEvery is the shortest time between two log lines about the limit.
const tellEvery = time.Minute

func newCappedListener(l net.Listener, most int, limit string, write time.Duration, logger *slog.Logger) *cappedListener {
	return &cappedListener{
		Listener: l, slots: make(chan struct{}, most), limit: limit, write: write, logger: logger,
		closed: make(chan struct{}),
	}
}

func (l *cappedListener) Accept() (net.Conn, error) {
	if err := l.slot(); err != nil {
		return nil, err
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &frontConn{Conn: c, write: l.write, born: time.Now(), slots: l.slots}, nil
}

// slot waits until another connection may be accepted.
func (l *cappedListener) slot() error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	if now := time.Now(); now.Sub(l.told) > tellEvery {
		l.told = now
		l.logger.Warn("the connection limit is reached; new clients wait", "limit", l.limit, "connections", cap(l.slots))
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

func (l *cappedListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// frontConn is a client's connection. It hides io.ReaderFrom, which would bypass the
// time-out of writes.
type frontConn struct {
	net.Conn
	write time.Duration
	born  time.Time
	until atomic.Int64 // the deadline of writes, as a duration since born; or theirs
	slots <-chan struct{}
	free  sync.Once
}

// Write moves the deadline only after a quarter of it has passed: that is cheaper on a
// connection with many short responses, and exact enough for stalled peers.
func (c *frontConn) Write(p []byte) (int, error) {
	if now := time.Since(c.born); time.Duration(c.until.Load())-now < c.write {
		limit := c.write + c.write/4
		c.until.Store(int64(now + limit))
		if err := c.Conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// theirs is the deadline of writes while net/http or crypto/tls has set one.
const theirs = math.MaxInt64

// SetDeadline sets both deadlines: a hijack clears both.
func (c *frontConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline leaves write deadlines to the caller until it clears them.
func (c *frontConn) SetWriteDeadline(t time.Time) error {
	switch {
	case !t.IsZero():
		c.until.Store(theirs)
	case c.until.Load() == theirs:
		c.until.Store(0) // the next write sets one again
	default:
		return nil // net/http clears the deadline after each request, even if it has set none
	}
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite lets net/http end a response before it closes, so that a client that is
// still sending can read it.
func (c *frontConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// reset makes the next Close abrupt.
func (c *frontConn) reset() {
	if lingering, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = lingering.SetLinger(0) // it is closed in any case
	}
}

func (c *frontConn) Close() error {
	c.free.Do(func() { <-c.slots })
	return c.Conn.Close()
}
