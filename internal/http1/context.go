package http1

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"
)

// requestContext is the context of a connection's requests, one after the other. A
// request's ends when it has been answered, or when its client leaves; but nobody
// looks out for that before somebody has asked for Done and some time has passed.
type requestContext struct {
	conn *conn

	mu       sync.Mutex
	open     bool            // a request is under way
	under    context.Context // what Done is of; nil until it is asked for
	cancel   context.CancelFunc
	left     bool          // the client is gone
	due      bool          // there is time for watching
	timer    *time.Timer   // makes it due
	watching chan struct{} // closed when the watching has ended; nil without
}

// Deadline implements [context.Context]: there is none.
func (x *requestContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements [context.Context].
func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.open {
		return ended.Done()
	}
	if x.under == nil {
		x.under, x.cancel = context.WithCancel(context.Background())
		if x.left {
			x.cancel()
		} else if x.timer == nil {
			x.timer = time.AfterFunc(patience, x.becomeDue)
		} else {
			x.timer.Reset(patience)
		}
	}
	return x.under.Done()
}

// Err implements [context.Context].
func (x *requestContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left || !x.open {
		return context.Canceled
	}
	return nil
}

// Value implements [context.Context], with the two values that net/http gives.
func (x *requestContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return x.conn.server.rest
	case http.LocalAddrContextKey:
		return x.conn.LocalAddr()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.under == nil {
		return nil
	}
	return x.under.Value(key) // by which package context finds its own kind
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
	if x.under != nil { // or the request is over
		x.due = true
		x.watch()
	}
}

// mayWatch is called when all of the request has been read.
func (x *requestContext) mayWatch() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watch()
}

// watch begins to read what follows the request, if it is time: only so is it seen
// that the client leaves. What it sends meanwhile stays in the connection's buffer.
func (x *requestContext) watch() {
	c := x.conn
	if !x.due || x.left || x.watching != nil || c.body != nil && !c.body.ended.Load() {
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

// stopped takes in the error by which the watch has ended: the client's leaving,
// unless finish or the handler stopped it.
func (x *requestContext) stopped(err error) {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		x.gone()
	}
}

// begin is for a request. Before that, and after finish, the context has ended: a
// timer of what was derived from it may still ask for Done, and must not have an
// idle connection watched.
func (x *requestContext) begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open, x.left = true, false
}

// finish ends the context of the request, and the watch.
func (x *requestContext) finish() {
	x.mu.Lock()
	if x.under != nil {
		x.cancel()
		if x.timer != nil {
			x.timer.Stop()
		}
	}
	watching := x.watching
	x.open, x.under, x.cancel, x.due, x.watching = false, nil, nil, false, nil
	x.mu.Unlock()
	if watching != nil {
		_ = x.conn.setReadDeadline(time.Now())
		<-watching
	}
}

// ended is a context that has ended.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
