// Package server contains what surrounds the gateway in a process: listeners,
// time-outs, health, the access log, and the drain at the end.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/http1"
	"github.com/tykctl/tykctl/internal/tlsfiles"
)

// headerSlack is more than the gateway accepts, so that the gateway itself refuses and
// logs a large header, with the request's ID.
const headerSlack = 64 << 10

// Timeouts are the time-outs of a connection: Read and Write for each piece of a body,
// ReadHeader for a whole header, Idle for the pause between requests.
type Timeouts struct {
	ReadHeader, Read, Write, Idle time.Duration
}

// Options are the settings of a [Server].
type Options struct {
	Addr        string // of the gateway, host:port; port 0 picks a free one
	MetricsAddr string
	TLS         TLS // of the gateway; the metrics have none
	Timeouts    Timeouts
	Connections int // the most at a time on the main port
	// MetricsConnections is the most connections at a time on the metrics port.
	MetricsConnections int
	DrainDelay         time.Duration // still serving, no longer ready
	DrainTimeout       time.Duration // no new connections, finishing what is under way
	// OnDrain is called when the server stops accepting connections. It must end what
	// does not end by itself, such as WebSockets.
	OnDrain func()
	// Refuse responds to a request on the main port whose header cannot be read. fault
	// is an error of package http1.
	Refuse func(w http.ResponseWriter, r *http.Request, fault error)
	Logger *slog.Logger
}

// Server is a gateway's listeners. Make one with [Listen].
type Server struct {
	opts          Options
	main, metrics net.Listener
	credentials   *tlsfiles.Latest[*tls.Config] // nil without TLS
	draining      atomic.Bool
	newcomers     newcomers
	tunnels       sync.WaitGroup // requests with hijacked connections
}

var errDraining = errors.New("shutting down")

// Listen reads the TLS files and opens both ports, so that any fault shows before
// anything else happens. The error says what is wrong and what to do.
func Listen(o Options) (*Server, error) {
	var secure *tlsfiles.Latest[*tls.Config]
	if o.TLS != (TLS{}) {
		var err error
		if secure, err = newCredentials(o.TLS, o.Logger); err != nil {
			return nil, err
		}
	}
	main, err := listen(o.Addr, "application.port")
	if err != nil {
		return nil, err
	}
	metrics, err := listen(o.MetricsAddr, "monitoring.port")
	if err != nil {
		_ = main.Close()
		return nil, err
	}
	main = newCappedListener(main, o.Connections, "server.max_connections", o.Timeouts.Write, o.Logger)
	metrics = newCappedListener(metrics, o.MetricsConnections, "metrics port", o.Timeouts.Write, o.Logger)
	return &Server{opts: o, main: main, metrics: metrics, credentials: secure}, nil
}

// Addr returns the address of the gateway.
func (s *Server) Addr() net.Addr { return s.main.Addr() }

// MetricsAddr returns the address of the metrics.
func (s *Server) MetricsAddr() net.Addr { return s.metrics.Addr() }

// Ready returns nil until the drain begins.
func (s *Server) Ready() error {
	if s.draining.Load() {
		return errDraining
	}
	return nil
}

// Run serves until ctx ends, then drains. For DrainDelay it is no longer ready but
// still serves, and closes each connection after its response, so that load balancers
// can switch to other instances. Then it accepts no new connections, and lets running
// requests, and the first request of each new connection, finish within DrainTimeout.
// It returns nil after a clean drain.
func (s *Server) Run(ctx context.Context, gateway, metrics http.Handler) error {
	front := s.newFronts(gateway)
	side := s.newHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.logPanic()
		metrics.ServeHTTP(w, r)
	}))
	side.ReadTimeout, side.WriteTimeout = s.opts.Timeouts.Read, s.opts.Timeouts.Write // metrics are not a stream
	failed := make(chan error, 2)
	go func() { failed <- front.serve(s.main) }()
	go func() { failed <- side.Serve(s.metrics) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.drain(front)
	}
	return errors.Join(err, side.Close())
}

// fronts are the servers of the main port. Every connection begins at the first.
type fronts struct {
	plain *http1.Server
	full  *http.Server // for requests that are not plain, and for HTTP/2
}

func (s *Server) newFronts(gateway http.Handler) fronts {
	full := s.newHTTP(s.front(gateway))
	full.ConnState = s.newcomers.note
	if s.credentials != nil {
		full.TLSConfig = serverConfig(s.credentials)
	}
	plain := http1.New(full)
	if refuse := s.opts.Refuse; refuse != nil {
		plain.Refuse = func(w http.ResponseWriter, r *http.Request, fault error) {
			defer s.logPanic()
			refuse(w, r, fault)
		}
	}
	return fronts{plain, full}
}

func (f fronts) serve(l net.Listener) error { return f.plain.Serve(l) }

func (f fronts) close() {
	_ = f.plain.Close()
	_ = f.full.Close()
}

// Close releases the ports of a server that was never run.
func (s *Server) Close() error { return errors.Join(s.main.Close(), s.metrics.Close()) }

func (s *Server) drain(front fronts) error {
	s.draining.Store(true)
	s.opts.Logger.Info("shutting down", "serving_on_for", s.opts.DrainDelay.String(), "then_at_most", s.opts.DrainTimeout.String())
	// Not SetKeepAlivesEnabled: it closes idle connections at once, and a request may
	// already be on its way on one.
	time.Sleep(s.opts.DrainDelay)

	ctx, cancel := context.WithTimeout(context.Background(), s.opts.DrainTimeout)
	defer cancel()
	_ = s.main.Close()
	s.opts.OnDrain()
	err := front.plain.Shutdown(ctx) // first, because it hands connections over to the other
	s.newcomers.await(ctx, s.opts.Timeouts.ReadHeader)
	if errors.Join(err, front.full.Shutdown(ctx), s.awaitTunnels(ctx)) != nil {
		front.close()
		return fmt.Errorf("requests still running after server.drain_timeout (%s) were cut off", s.opts.DrainTimeout)
	}
	return nil
}

// awaitTunnels waits for hijacked connections, which Shutdown does not.
func (s *Server) awaitTunnels(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		s.tunnels.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) newHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.opts.Timeouts.ReadHeader,
		IdleTimeout:       s.opts.Timeouts.Idle,
		MaxHeaderBytes:    headerSlack,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          100,
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
		},
		// Else net/http would answer "OPTIONS *" without the gateway.
		DisableGeneralOptionsHandler: true,
	}
}
