package server

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/tykctl/tykctl/internal/gateway"
)

// front is around every handler of the main port: it says when a connection ends,
// and gives bodies their time piece by piece, so that streams live and peers that
// stall do not.
func (s *Server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.logPanic()
		s.newcomers.served(r)
		if s.draining.Load() {
			w.Header()["Connection"] = []string{"close"} // to HTTP/2 it is a GOAWAY
		}
		if r.ContentLength != 0 && r.ProtoMajor == 1 {
			// For whoever reads the body, if it is only the server that discards it.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.Timeouts.Read))
		}
		if r.ProtoMajor == 2 {
			p := &patientWriter{w, http.NewResponseController(w), s.opts.Timeouts.Write}
			defer p.begin() // for what the server sends when the handler has returned
			w = p
		}
		if r.Header["Upgrade"] != nil {
			s.tunnels.Add(1) // which net/http loses sight of
			defer s.tunnels.Done()
		}
		if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
			defer breakOff(w)
		}
		next.ServeHTTP(w, r)
	})
}

// logPanic logs a panic that nothing else has caught, in place of the servers: they
// would print its value, which may be a secret. Then it breaks the answer off.
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

// breakOff resets the connection when a handler gives an answer up. To HTTP/1.0 the
// end of the connection is that of the body, and an orderly one that of all of it.
func breakOff(w http.ResponseWriter) {
	p := recover()
	if p == nil {
		return
	}
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		c = beneath(c) // TLS would end in good order
		if front, ok := c.(*frontConn); ok {
			front.reset()
		}
		_ = c.Close()
	}
	panic(p)
}

// beneath takes a connection out of what it is wrapped in.
func beneath(c net.Conn) net.Conn {
	for {
		outer, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = outer.NetConn()
	}
}

// patientWriter gives the client of an HTTP/2 stream its time for each piece. A
// stream may stall while its connection does not. Between two pieces no time runs:
// the backend has its own.
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
