// Package http1 reads the header of every HTTP/1 request strictly, also over TLS. It
// serves plain requests itself, at a lower cost than net/http's server and with the
// same [http.Handler], and leaves all others to net/http.
//
// Strictly means that it refuses a header that two recipients could read differently,
// and closes the connection: a line that ends in LF alone or is folded, a name that
// others mistake for Content-Length, contradicting lengths.
//
// A plain request needs only a response: it is HTTP/1.1 and has no body or one of
// declared length, no upgrade to WebSocket and no expectation. For any other request
// the connection is handed over to an [http.Server], with the bytes read so far. That
// request is the last on its connection, because net/http reads headers less strictly,
// and others may disagree about where a chunked or HTTP/1.0 request ends (RFC 9112, 6.1
// and 11.2). net/http reads every request that this package accepts the same way.
//
// The package saves a goroutine that reads in the background of each request, a copy
// of the response header, and most allocations. It reuses the writer and its header, so
// a handler must not touch them after it has returned; it may keep the request.
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
	// Refuse responds to a request that could not be read because of fault. At most
	// the method, the target, Host, Origin and User-Agent of r are known. Without Refuse
	// the response is fault's text. It must be set before Serve.
	Refuse func(w http.ResponseWriter, r *http.Request, fault error)

	handler http.Handler
	rest    *http.Server
	over    *handover
	tls     *tls.Config // nil without TLS
	maxHead int

	closing atomic.Bool

	mu       sync.Mutex
	listener net.Listener // nil unless Serve runs
	conns    map[*conn]struct{}
	drained  chan struct{} // closed when the server is closing and no connection is left; nil while nobody waits
}

// New returns a server with the handler, time-outs, MaxHeaderBytes, TLSConfig and
// error log of rest. rest serves what is not plain and, over TLS, HTTP/2. New changes
// rest's Handler and ConnState, so that a connection handed over has one request.
//
// Two of rest's time-outs apply. ReadHeaderTimeout limits the TLS handshake, the first
// header from the start of the connection, and later headers from their first byte.
// IdleTimeout limits the pause between requests. The handler sets the deadlines of
// bodies, with [http.ResponseController].
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

// Serve accepts connections, and runs the other server for those handed over, until
// one of the two fails or is shut down; it then returns [http.ErrServerClosed].
func (s *Server) Serve(l net.Listener) error {
	s.over.addr = l.Addr()
	failed := make(chan error, 2)
	go func() { failed <- s.rest.Serve(s.over) }()
	go func() { failed <- s.accept(l) }()
	return <-failed
}

// accept retries when the system is out of descriptors, like net/http.
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
			s.logf("http1: cannot accept a connection, retrying in %v: %v", delay, err)
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

// Shutdown accepts no more connections, closes the idle ones, and waits until every
// request has been answered or handed over and no connection is left, or until ctx
// ends. The owner must shut down the other server afterwards.
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

// Close closes every connection at once, except those handed over.
func (s *Server) Close() error {
	return s.stop(func(c *conn) { _ = c.Close() })
}

// stop closes the listener and calls due for each connection.
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
		return nil // the owner or an earlier call closed it
	}
	return err
}

// wait returns a channel that is closed when no connection is left.
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
