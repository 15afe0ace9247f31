package server

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/tykctl/tykctl/internal/gateway"
)

// front wraps the handler of the main port. It announces when a connection ends, and
// limits the time of each piece of a body, so that streams may last and stalled peers
// may not.
func (s *Server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.logPanic()
		s.newcomers.served(r)
		if s.draining.Load() {
			w.Header()["Connection"] = []string{"close"} // to HTTP/2 it is a GOAWAY
		}
		if r.ContentLength != 0 && r.ProtoMajor == 1 {
			// For whoever reads the body, even if only the server discards it.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.Timeouts.Read))
		}
		if r.ProtoMajor == 2 {
			p := &patientWriter{w, http.NewResponseController(w), s.opts.Timeouts.Write}
			defer p.begin() // for what the server sends after the handler has returned
			w = p
		}
		if r.Header["Upgrade"] != nil {
			s.tunnels.Add(1) // net/http loses track of them
			defer s.tunnels.Done()
		}
		if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
			defer breakOff(w)
		}
		next.ServeHTTP(w, r)
	})
}

// logPanic logs a panic that nothing else has caught, because the servers would print
// its value, which may be a secret. Then it cuts off the response.
func (s *Server) logPanic() {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		gateway.LogPanic(s.opts.Logger, p)
	}
	panic(http.ErrAbortHandler)
}

// breakOff resets the connection when a handler panics. To HTTP/1.0 an orderly close
// marks the end of a complete body.
func breakOff(w http.ResponseWriter) {
	p := recover()
	if p == nil {
		return
	}
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		c = beneath(c) // TLS would close in an orderly way
		if front, ok := c.(*frontConn); ok {
			front.reset()
		}
		_ = c.Close()
	}
	panic(p)
}

// beneath returns the innermost wrapped connection.
func beneath(c net.Conn) net.Conn {
	for {
		outer, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = outer.NetConn()
	}
}

// patientWriter limits how long the client of an HTTP/2 stream may take for each piece:
// a stream can stall while its connection does not. Between two pieces no time-out
// runs, because the backend has its own.
type patientWriter struct {
	http.ResponseWriter
	stream  *http.ResponseController
	timeout time.Duration
}

func (p *patientWriter) begin() { _ = p.stream.SetWriteDeadline(time.Now().Add(p.timeout)) }
func (p *patientWriter) end()   { _ = p.stream.SetWriteDeadline(time.Time{}) }

func (p *patientWriter) Write(b []byte) (int, error) {
	p.begin()
	defer p.end()
	return p.ResponseWriter.Write(b)
}

// FlushError is what [http.ResponseController] calls.
func (p *patientWriter) FlushError() error {
	p.begin()
	defer p.end()
	return p.stream.Flush()
}

func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
