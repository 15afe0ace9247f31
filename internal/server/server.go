// Package server holds what surrounds the gateway in a process: listeners,
// time-outs, health, the access log, and the drain at the end.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// headerSlack is more than the gateway lets through, so that it is the gateway
// that refuses a large header, in its own words.
const headerSlack = 64 << 10

// Timeouts are the server's, per connection.
type Timeouts struct {
	ReadHeader, Read, Write, Idle time.Duration
}

// Options are what Listen and Run need.
type Options struct {
	Addr         string // of the gateway, host:port; port 0 picks a free one
	MetricsAddr  string
	TLS          TLS // of the gateway; the metrics have none
	Timeouts     Timeouts
	DrainDelay   time.Duration // still serving, no longer ready
	DrainTimeout time.Duration // no new connections, finishing what is under way
	Logger       *slog.Logger
}

// Server is a gateway's listeners. Make one with [Listen].
type Server struct {
	opts          Options
	main, metrics net.Listener
	credentials   *credentials // nil without TLS
	draining      atomic.Bool
}

var errDraining = errors.New("shutting down")

// Listen reads the TLS files and opens both ports, so that what is amiss there is
// known before anything else happens. The error says which and what to do.
func Listen(o Options) (*Server, error) {
	var secure *credentials
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
	return &Server{opts: o, main: main, metrics: metrics, credentials: secure}, nil
}

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

// Addr is where the gateway listens.
func (s *Server) Addr() net.Addr { return s.main.Addr() }

// MetricsAddr is where the metrics are.
func (s *Server) MetricsAddr() net.Addr { return s.metrics.Addr() }

// Ready is nil until the drain begins.
func (s *Server) Ready() error {
	if s.draining.Load() {
		return errDraining
	}
	return nil
}

// Run serves until ctx ends, then drains: for DrainDelay it is no longer ready
// but serves on, so that load balancers can look elsewhere; then it takes no new
// connections and lets what is under way finish within DrainTimeout. It returns
// nil after a clean drain.
func (s *Server) Run(ctx context.Context, gateway, metrics http.Handler) error {
	front := s.newHTTP(gateway)
	side := s.newHTTP(metrics)
	failed := make(chan error, 2)
	go func() { failed <- s.serve(front) }()
	go func() { failed <- side.Serve(s.metrics) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = s.drain(front)
	}
	return errors.Join(err, side.Close())
}

// serve is with TLS, and then with HTTP/2, if there are credentials.
func (s *Server) serve(front *http.Server) error {
	if s.credentials == nil {
		return front.Serve(s.main)
	}
	front.TLSConfig = s.credentials.config()
	return front.ServeTLS(s.main, "", "")
}

// Close releases the ports of a server that was never run.
func (s *Server) Close() error { return errors.Join(s.main.Close(), s.metrics.Close()) }

func (s *Server) drain(front *http.Server) error {
	s.draining.Store(true)
	s.opts.Logger.Info("shutting down", "serving_on_for", s.opts.DrainDelay.String(), "then_at_most", s.opts.DrainTimeout.String())
	front.SetKeepAlivesEnabled(false)
	time.Sleep(s.opts.DrainDelay)

	ctx, cancel := context.WithTimeout(context.Background(), s.opts.DrainTimeout)
	defer cancel()
	if err := front.Shutdown(ctx); err != nil {
		_ = front.Close()
		return fmt.Errorf("requests were still under way after server.drain_timeout (%s) and were cut off", s.opts.DrainTimeout)
	}
	return nil
}

func (s *Server) newHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           closeAfterDoubt(h),
		ReadHeaderTimeout: s.opts.Timeouts.ReadHeader,
		ReadTimeout:       s.opts.Timeouts.Read,
		WriteTimeout:      s.opts.Timeouts.Write,
		IdleTimeout:       s.opts.Timeouts.Idle,
		MaxHeaderBytes:    headerSlack,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          100,
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
		},
		// "OPTIONS *" would otherwise be answered past the gateway.
		DisableGeneralOptionsHandler: true,
	}
}
