package upstream

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// keepAlive reads the timeout of a Keep-Alive field, as in "timeout=5, max=100"
// (RFC 2068, 19.7.1.1), and returns how long a connection may then be idle: less than
// the timeout, because a request on its way when the backend closes is lost. It returns
// a negative duration if there is no timeout.
func keepAlive(field string) time.Duration {
	const most = 24 * 60 * 60 // a day is as good as forever
	for parameter := range strings.SplitSeq(field, ",") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "timeout") {
			continue
		}
		n, err := strconv.ParseUint(strings.Trim(value, " \t\""), 10, 31)
		if err != nil {
			return unknown
		}
		said := time.Duration(min(n, most)) * time.Second
		return max(said-time.Second, said/2)
	}
	return unknown
}

// pool holds the idle connections to one backend. It reuses the most recent one first,
// so that connections that are not needed expire.
type pool struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	addr string
	keep time.Duration // how long a connection may be idle, unless the backend says less

	mu     sync.Mutex
	idle   []*conn // the longest idle first
	closed bool
	sweep  *time.Timer // set while it is to run
}

// take returns an idle connection that the backend has not closed, is not about to close
// and has sent nothing on; or nil.
func (p *pool) take() *conn {
	for {
		p.mu.Lock()
		last := len(p.idle) - 1
		if last < 0 {
			p.mu.Unlock()
			return nil
		}
		c := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		p.mu.Unlock()
		if time.Now().Before(c.idleUntil) && c.quiet() {
			return c
		}
		_ = c.Close() // too old, closed by the backend, or with unexpected bytes
	}
}

// connect makes a connection.
func (p *pool) connect(ctx context.Context) (*conn, error) {
	nc, err := p.dial(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	return newConn(nc), nil
}

// put takes back a connection after a clean exchange. said is how long the backend lets
// it be idle; negative if the backend does not say.
func (p *pool) put(c *conn, said time.Duration) {
	keep := p.keep
	if said >= 0 {
		keep = min(keep, said)
	}
	c.reused, c.idleUntil = true, time.Now().Add(keep)
	p.mu.Lock()
	unwanted := keep == 0 || p.closed || len(p.idle) >= idlePerBackend
	if !unwanted {
		p.idle = append(p.idle, c)
		if p.sweep == nil {
			p.sweep = time.AfterFunc(keep, p.expire)
		}
	}
	p.mu.Unlock()
	if unwanted {
		_ = c.Close()
	}
}

// expire closes the connections that were idle too long, and runs again while there are
// any. A connection that expires sooner than those before it may stay longer, but take
// does not return it.
func (p *pool) expire() {
	p.mu.Lock()
	now := time.Now()
	var old []*conn
	kept, next := p.idle[:0], now.Add(p.keep)
	for _, c := range p.idle {
		if !now.Before(c.idleUntil) {
			old = append(old, c)
			continue
		}
		kept = append(kept, c)
		if c.idleUntil.Before(next) {
			next = c.idleUntil
		}
	}
	clear(p.idle[len(kept):])
	p.idle, p.sweep = kept, nil
	if len(kept) > 0 {
		p.sweep = time.AfterFunc(next.Sub(now), p.expire)
	}
	p.mu.Unlock()
	for _, c := range old {
		_ = c.Close()
	}
}

// close drops every idle connection and keeps none from now on.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.sweep != nil {
		p.sweep.Stop()
		p.sweep = nil
	}
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}
