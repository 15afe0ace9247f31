// Package http1 reads the header of every HTTP/1 request strictly, over TLS too. It
// serves plain requests itself, for less than net/http's server does and to the
// same [http.Handler], and leaves the other ones to that.
//
// Strictly means that a header which two recipients could read differently is
// refused, and its connection closed: a line that ends in LF alone or is folded, a
// name that others take for Content-Length, contradicting lengths.
//
// Plain is a request that only needs an answer: HTTP/1.1, no body or one of
// declared length, no upgrade to WebSocket, no expectation. For any other one the
// connection is handed over to a [http.Server], with the bytes read so far. It is
// the last request there: net/http reads headers less strictly, and where a request
// in chunks or of HTTP/1.0 ends others may see differently (RFC 9112, 6.1 and 11.2).
// What this package takes, net/http would have read alike.
//
// What it saves: a goroutine that reads in the background of each request, a copy of
// the answer's header, and most of what is made anew for each. The writer and its
// header are used again, so a handler must not touch them when it has returned; the
// request it may keep.
package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves connections. Make one with [New].
type Server struct {
	// Refuse answers a request that was not read, because of fault. Of the request
	// method, target, Host, Origin and User-Agent may be known. Without it the answer is fault's text. It must
	// be set before Serve.
	Refuse func(w http.ResponseWriter, r *http.Request, fault error)

	handler http.Handler
	rest    *http.Server
	over    *handover
	tls     *tls.Config // nil without TLS
	maxHead int

	closing atomic.Bool

	mu       sync.Mutex
	listener net.Listener // nil unless it is served
	conns    map[*conn]struct{}
	drained  chan struct{} // closed when closing and no connection is left; nil while nobody waits
}

// New returns a server with the handler, time-outs, MaxHeaderBytes, TLSConfig and
// error log of rest, which serves what is not plain and, over TLS, HTTP/2. It changes
// rest's Handler and ConnState, so that a connection which is handed over has one
// request. Of rest's time-outs these count: ReadHeaderTimeout for a TLS handshake,
// from a connection's start, later from a request's first byte; IdleTimeout
// between requests. Those of bodies are for the handler to set, by
// [http.ResponseController].
func New(rest *http.Server) *Server {
	handler := once(rest)
	s := &Server{
		handler: handler,
		rest:    rest,
		over:    &handover{conns: make(chan net.Conn), closed: make(chan struct{})},
		maxHead: http.DefaultMaxHeaderBytes,
		conns:   map[*conn]struct{}{},
	}
	if rest.MaxHeaderBytes > 0 {
		s.maxHead = rest.MaxHeaderBytes
	}
	if rest.TLSConfig != nil {
		s.tls = rest.TLSConfig.Clone() // rest adds to its own while it starts
	}
	return s
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, fault error) {
	if s.Refuse != nil {
		s.Refuse(w, r, fault)
		return
	}
	status := http.StatusBadRequest
	switch {
	case errors.Is(fault, ErrTargetTooLong):
		status = http.StatusRequestURITooLong
	case errors.Is(fault, ErrHeaderTooLarge):
		status = http.StatusRequestHeaderFieldsTooLarge
	}
	http.Error(w, fault.Error(), status)
}

// Serve accepts connections, and has the other server serve what is handed over,
// until one of the two is shut down, when it returns [http.ErrServerClosed], or fails.
func (s *Server) Serve(l net.Listener) error {
	s.over.addr = l.Addr()
	failed := make(chan error, 2)
	go func() { failed <- s.rest.Serve(s.over) }()
	go func() { failed <- s.accept(l) }()
	return <-failed
}

// accept has patience with a system that is out of descriptors, as net/http has.
func (s *Server) accept(l net.Listener) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	if !s.listen(l) {
		return http.ErrServerClosed
	}
	for delay := shortest; ; {
		nc, err := l.Accept()
		switch {
		case err == nil:
			delay = shortest
			if c := newConn(s, nc); s.add(c) {
				go c.serve()
			} else {
				_ = nc.Close()
			}
		case s.closing.Load():
			return http.ErrServerClosed
		case !temporary(err):
			return err
		default:
			s.logf("http1: accepting failed, to be tried again in %v: %v", delay, err)
			time.Sleep(delay)
			delay = min(2*delay, longest)
		}
	}
}

func temporary(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && e.Temporary()
}

// Shutdown takes no more connections, closes the idle ones, and waits until none is
// left, every request having been answered or handed over, or until ctx ends. The
// other server is its owner's to shut down, and that afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.stop(func(c *conn) {
		if c.state.CompareAndSwap(idle, closed) {
			_ = c.Close()
		}
	})
	select {
	case <-s.wait():
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close closes every connection at once, but for those that were handed over.
func (s *Server) Close() error {
	return s.stop(func(c *conn) { _ = c.Close() })
}

// stop closes the listener and does what is due to each connection.
func (s *Server) stop(due func(*conn)) error {
	s.closing.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	for c := range s.conns {
		due(c)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil // its owner was first, or this is not the first time
	}
	return err
}

// wait returns what is closed when no connection is left.
func (s *Server) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained == nil {
		s.drained = make(chan struct{})
		if len(s.conns) == 0 {
			close(s.drained)
		}
	}
	return s.drained
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		_ = l.Close()
		return false
	}
	s.listener = l
	return true
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.drained != nil && len(s.conns) == 0 {
		close(s.drained)
	}
}

func (s *Server) logf(format string, args ...any) {
	if s.rest.ErrorLog != nil {
		s.rest.ErrorLog.Printf(format, args...)
	}
}
