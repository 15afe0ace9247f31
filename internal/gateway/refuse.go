package gateway

import (
	"errors"
	"net/http"
	"time"

	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/problem"
	"github.com/tykctl/tykctl/internal/upstream"
)

// Refuse responds to a request whose header could not be read. fault is an error of
// package http1.
func (g *Gateway) Refuse(w http.ResponseWriter, r *http.Request, fault error) {
	start := time.Now()
	out := &recorder{ResponseWriter: w}
	req := g.Inbound.Refused(r)
	if g.CORS != nil {
		out.page = &page{policy: g.CORS, origin: cors.Origin(r.Header)}
	}
	out.setHeader(&req, &admission{})
	x := Exchange{Request: req, Err: fault, Host: r.Host, Proto: r.Proto, UserAgent: agent(r)}
	x.Status, x.Reason = g.refuse(out, r, &req, fault)
	x.Total, x.Sent = time.Since(start), out.sent
	g.tell(x, "")
}

// untold reports whether a request over HTTP/2 gets a stream error instead of a
// response, as RFC 9113, 8.1.1, requires if the Content-Length does not match the body.
// A body that is too short is noticed only when it is read.
func untold(r *http.Request, err error) bool {
	return r.ProtoMajor == 2 && (errors.Is(err, inbound.ErrLength) || errors.Is(err, upstream.ErrBody))
}

// refuse writes the response to err, unless the client is gone or cannot get one.
func (g *Gateway) refuse(w *recorder, r *http.Request, req *inbound.Request, err error) (int, Reason) {
	a, _ := answerTo(err)
	if a.status == statusClientGone || errors.Is(err, upstream.ErrCut) || untold(r, err) {
		return a.status, a.reason
	}
	LeaveBody(w, r)
	h := w.Header()
	if r.ProtoMajor == 1 && errors.Is(err, inbound.ErrHeader) {
		h["Connection"] = []string{"close"} // where the next request begins is in doubt
	}
	if a.header[0] != "" {
		h[a.header[0]] = []string{a.header[1]}
	}
	_ = problem.New(a.status, string(a.reason), a.detail, req.Path, req.ID).Write(w) // the client may be gone
	return a.status, a.reason
}

// LeaveBody prepares a response that does not need the request body. The body may
// still be arriving; reading it to keep the connection would let a slow client delay
// the response.
func LeaveBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	}
}
