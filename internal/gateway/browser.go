package gateway

import (
	"errors"
	"net/http"

	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/upstream"
)

// Exposed lists the gateway's own header fields that pages of another origin may read.
var Exposed = []string{
	"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "X-Request-Id",
}

// page is what a response must know about the page whose script made the request.
type page struct {
	policy    *cors.Policy
	origin    string
	preflight bool
}

// preflight makes every response, refusals included, carry the CORS fields. It reports
// whether the request is a preflight, which the gateway answers itself: before
// authentication, because browsers send no credentials with it. err is the result of
// reading the request.
//
// At /auth any 2xx lets a request pass, so the gateway answers only the preflights of
// allowed origins there and treats others like any request.
func (g *Gateway) preflight(w *recorder, r *http.Request, req *inbound.Request, err error) bool {
	w.page = &page{policy: g.CORS, origin: cors.Origin(r.Header)}
	if err != nil && !errors.Is(err, inbound.ErrNoToken) && !errors.Is(err, inbound.ErrBadToken) {
		return false
	}
	w.page.preflight = cors.IsPreflight(req.Method, r.Header) && (!req.Asked || g.CORS.Allows(w.page.origin))
	return w.page.preflight
}

// answerPreflight answers a preflight; WriteHeader adds the CORS fields.
func answerPreflight(w *recorder, r *http.Request) upstream.Result {
	LeaveBody(w, r)
	w.WriteHeader(http.StatusNoContent)
	return upstream.Result{Status: http.StatusNoContent}
}

// set adds the CORS fields to a response's header.
func (p *page) set(h http.Header) {
	if p.preflight {
		p.policy.SetPreflight(h, p.origin)
	} else {
		p.policy.Set(h, p.origin)
	}
}
