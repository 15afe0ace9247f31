package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// requestContext is the context of a request. It ends when the request has been
// answered or its client leaves. The client is watched only after somebody has called
// Done and some time has passed.
type requestContext struct {
	of *request

	mu       sync.Mutex
	over     bool            // the request has been answered
	under    context.Context // the source of Done; nil until the first call
	cancel   context.CancelFunc
	left     bool          // the client is gone
	due      bool          // patience has passed
	timer    *time.Timer   // makes it due
	watching chan struct{} // closed when the watch has ended; nil without one
}

// Deadline implements [context.Context]: there is none.
func (x *requestContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements [context.Context].
func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.under == nil {
		x.under, x.cancel = context.WithCancel(context.Background())
		if x.left || x.over {
			x.cancel()
		} else {
			x.timer = time.AfterFunc(patience, x.becomeDue)
		}
	}
	return x.under.Done()
}

// Err implements [context.Context].
func (x *requestContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left || x.over {
		return context.Canceled
	}
	return nil
}

// Value implements [context.Context], with the two values that net/http gives.
func (x *requestContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return x.of.conn.server.rest
	case http.LocalAddrContextKey:
		return x.of.conn.LocalAddr()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.under == nil {
		return nil
	}
	return x.under.Value(key) // package context finds its own types this way
}

// gone ends the context because the client left.
func (x *requestContext) gone() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.leave()
}

func (x *requestContext) leave() {
	x.left = true
	if x.cancel != nil {
		x.cancel()
	}
}

func (x *requestContext) becomeDue() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.due = true
	x.watch()
}

// mayWatch is called when all of the request has been read.
func (x *requestContext) mayWatch() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watch()
}

// watch starts to read beyond the request, if it is due: only reading shows that the
// client leaves. What the client sends meanwhile stays in the connection's buffer.
func (x *requestContext) watch() {
	c := x.of.conn
	if !x.due || x.left || x.over || x.watching != nil || x.of.body.remains() {
		return
	}
	if c.setReadDeadline(time.Time{}) != nil {
		x.leave() // the connection is closed
		return
	}
	c.end = copy(c.buf, c.buf[c.start:c.end])
	c.start = 0
	watching := make(chan struct{})
	x.watching = watching
	go func() {
		defer close(watching)
		for c.end < len(c.buf) {
			n, err := c.Read(c.buf[c.end:])
			c.end += n
			if err != nil {
				x.stopped(err)
				return
			}
		}
	}()
}

// stopped handles the error that ended the watch. The client has left, unless finish or
// the handler stopped the watch, or the client only closed its sending side.
func (x *requestContext) stopped(err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
	case errors.Is(err, io.EOF):
		x.mu.Lock()
		defer x.mu.Unlock()
		if !x.over {
			x.timer = time.AfterFunc(parting, x.gone)
		}
	default:
		x.gone()
	}
}

// finish ends the context of the request, and the watch.
func (x *requestContext) finish() {
	x.mu.Lock()
	x.over = true
	if x.under != nil {
		x.cancel()
	}
	if x.timer != nil {
		x.timer.Stop()
	}
	watching := x.watching
	x.mu.Unlock()
	if watching != nil {
		_ = x.of.conn.setReadDeadline(time.Now())
		<-watching
	}
}
