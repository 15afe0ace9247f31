package upstream

import (
	"context"
	"net"
	"sync"
	"time"
)

// pool holds the idle connections to one backend. The last one used is the
// first one to be used again, so that what is not needed grows old and goes.
type pool struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	addr string

	mu     sync.Mutex
	idle   []*conn // the longest idle first
	closed bool
	sweep  *time.Timer // set while it is to run
}

// take returns an idle connection on which the backend has said nothing, or nil.
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
		if c.quiet() {
			return c
		}
		_ = c.Close() // the backend has closed it, or sent what nobody asked for
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

// put takes back a connection on which an exchange has ended cleanly.
func (p *pool) put(c *conn) {
	c.reused, c.idleSince = true, time.Now()
	p.mu.Lock()
	full := p.closed || len(p.idle) >= idlePerBackend
	if !full {
		p.idle = append(p.idle, c)
		if p.sweep == nil {
			p.sweep = time.AfterFunc(idleTimeout, p.expire)
		}
	}
	p.mu.Unlock()
	if full {
		_ = c.Close()
	}
}

// expire drops the connections that were idle too long, and comes back while there are any.
func (p *pool) expire() {
	p.mu.Lock()
	now, n := time.Now(), 0
	for n < len(p.idle) && now.Sub(p.idle[n].idleSince) >= idleTimeout {
		n++
	}
	old := append([]*conn(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	clear(p.idle[len(p.idle):cap(p.idle)])
	p.sweep = nil
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(idleTimeout-now.Sub(p.idle[0].idleSince), p.expire)
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
