package gateway

import (
	"errors"
	"net/http"

	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/upstream"
)

// Exposed are the fields of the gateway's own that pages of another origin may read.
var Exposed = []string{
	"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "X-Request-Id",
}

// page is what an answer needs to know of the page whose script asked.
type page struct {
	policy    *cors.Policy
	origin    string
	preflight bool
}

// preflight has every answer that goes out, refusals too, say what pages may do with
// it. It reports whether the request is a preflight, which the gateway answers by
// itself: before authentication, because browsers send no credentials with it. err is
// what reading it came to.
//
// At /auth any 2xx lets a request pass, so that only the preflights of allowed origins are
// answered there; others are judged like any request.
func (g *Gateway) preflight(w *recorder, r *http.Request, req *inbound.Request, err error) bool {
	w.page = &page{policy: g.CORS, origin: cors.Origin(r.Header)}
	if err != nil && !errors.Is(err, inbound.ErrNoToken) && !errors.Is(err, inbound.ErrBadToken) {
		return false
	}
	w.page.preflight = cors.IsPreflight(req.Method, r.Header) && (!req.Asked || g.CORS.Allows(w.page.origin))
	return w.page.preflight
}

// answerPreflight answers it; the fields that matter are WriteHeader's.
func answerPreflight(w *recorder, r *http.Request) upstream.Result {
	LeaveBody(w, r)
	w.WriteHeader(http.StatusNoContent)
	return upstream.Result{Status: http.StatusNoContent}
}

// set says in an answer's header what the page may do with it.
func (p *page) set(h http.Header) {
	if p.preflight {
		p.policy.SetPreflight(h, p.origin)
	} else {
		p.policy.Set(h, p.origin)
	}
}
