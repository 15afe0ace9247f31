// Package gateway is the way of a request: the order of the stages, and the one
// table from what went wrong to what the client is told.
//
// Each stage lives in its own package and knows no other; none of them knows
// HTTP's status codes. Only here is a refusal written.
package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/problem"
	"github.com/tykctl/tykctl/internal/upstream"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Gateway authenticates, limits and forwards requests. It is an [http.Handler]
// and safe for concurrent use.
type Gateway struct {
	Inbound  *inbound.Reader
	Verifier *jwtauth.Verifier
	Ledger   *ledger.Ledger
	Upstream *upstream.Upstream
	Now      func() time.Time
	// CORS is what pages of other origins may do; nil leaves that to the backend.
	CORS *cors.Policy
	// Observe is told of each request once it has been answered.
	Observe func(Exchange)
	// Log is told likewise, with the key's hash; nil when nobody wants to know.
	Log func(Exchange)
	// MaxInFlight is how many requests may be inside ServeHTTP at a time; 0 is no limit.
	MaxInFlight int64

	inFlight atomic.Int64
}

// Exchange is what became of one request. Neither the key nor the token is in it.
type Exchange struct {
	Request  inbound.Request
	Status   int
	Reason   Reason
	Err      error  // what went wrong, in words for the operator; nil when Reason says it all
	KeyHash  string // "" before the token was verified, and for Observe
	Total    time.Duration
	Upstream time.Duration
	Redis    time.Duration
	Delayed  time.Duration // held back because the key's limit spaces its requests
	Sent     int64         // bytes of the answer's body
}

// Overhead is what the gateway itself cost: neither Redis nor the backend, nor a
// delay that the limit asked for.
func (x Exchange) Overhead() time.Duration {
	return max(x.Total-x.Upstream-x.Redis-x.Delayed, 0)
}

// admit takes a request through every stage before the backend. The values that
// one stage yields are the arguments of the next, so none can be left out.
func (g *Gateway) admit(ctx context.Context, req *inbound.Request, how settling) (admission, error) {
	token, err := g.Verifier.Verify(req.Bearer, g.Now())
	if err != nil {
		return admission{}, err
	}
	permit, err := g.permit(ctx, token.APIKey, req, how)
	return admission{token: token, permit: permit}, err
}

// settling says whether a request that may pass takes its permit: those that are
// served do, those that are explained only look.
type settling bool

const (
	take settling = true
	look settling = false
)

// permit settles what a genuine key may do.
func (g *Gateway) permit(ctx context.Context, apiKey string, req *inbound.Request, how settling) (permit ledger.Permit, err error) {
	allow := func(rec *ledger.Record) error {
		if !rec.Routes.Allows(req.Method, req.Path) {
			return errRoute
		}
		return nil
	}
	if how == take { // called by name: through a variable, allow would be on the heap
		permit, err = g.Ledger.Take(ctx, apiKey, allow)
	} else {
		permit, err = g.Ledger.Peek(ctx, apiKey, allow)
	}
	if err == nil && !permit.Decision.Allowed() {
		err = errLimited
	}
	return permit, err
}

// admission is what the stages established about a request.
type admission struct {
	token  jwtauth.Token
	permit ledger.Permit
}

// ServeHTTP takes one request the whole way: inbound, verify, ledger, route,
// forward; or, from wherever it stops, to its refusal.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := &recorder{ResponseWriter: w}
	others := g.inFlight.Add(1) - 1
	defer g.inFlight.Add(-1)

	req, err := g.Inbound.Read(r)
	preflight := g.CORS != nil && g.preflight(out, r, &req, err)
	if err == nil && g.MaxInFlight > 0 && others >= g.MaxInFlight {
		err = errOverloaded
	}
	var adm admission
	if err == nil && !preflight {
		adm, err = g.admit(r.Context(), &req, take)
	}
	out.setHeader(&req, &adm)
	var delayed time.Duration
	if err == nil {
		delayed, err = hold(r.Context(), adm.permit.Decision)
	}
	var res upstream.Result
	switch {
	case preflight:
		res, err = answerPreflight(out, r), nil
	case err == nil && req.Asked:
		res = vouch(out, r, adm.token.APIKey)
	case err == nil:
		res, err = g.Upstream.Forward(out, r, outgoing(&req))
	}
	x := Exchange{Request: req, Status: res.Status, Reason: ReasonOK}
	if err != nil {
		x.Status, x.Reason = g.refuse(out, r, &req, err)
		if !errors.Is(err, errLimited) && !errors.Is(err, errRoute) {
			x.Err = err
		}
	}
	x.Upstream, x.Redis, x.Delayed = res.Elapsed, adm.permit.Waited, delayed
	x.Total, x.Sent = time.Since(start), out.sent
	g.tell(x, adm.token.APIKey)

	if x.Status == statusClientGone || errors.Is(err, upstream.ErrCut) || untold(r, err) {
		// The client must not take half an answer for a whole one, nor, if it has
		// only closed its own side, none for the 200 that net/http would make of it.
		panic(http.ErrAbortHandler)
	}
}

// Refuse answers a request whose header could not be read; fault is one of package
// http1's.
func (g *Gateway) Refuse(w http.ResponseWriter, r *http.Request, fault error) {
	start := time.Now()
	out := &recorder{ResponseWriter: w}
	req := g.Inbound.Refused(r)
	out.setHeader(&req, &admission{})
	x := Exchange{Request: req, Err: fault}
	x.Status, x.Reason = g.refuse(out, r, &req, fault)
	x.Total, x.Sent = time.Since(start), out.sent
	g.tell(x, "")
}

// untold reports whether a request over HTTP/2 ends with its stream and not with an
// answer, as RFC 9113, 8.1.1, has it of one whose length is not what it says. That a
// body is shorter shows only when it is read.
func untold(r *http.Request, err error) bool {
	return r.ProtoMajor == 2 && (errors.Is(err, inbound.ErrLength) || errors.Is(err, upstream.ErrBody))
}

// hold waits until a permit that was granted for later may be used. It tells how
// long that was; a client that leaves ends it.
func hold(ctx context.Context, d ratelimit.Decision) (time.Duration, error) {
	if d.Delay == 0 {
		return 0, nil
	}
	start := time.Now()
	err := d.Wait(ctx)
	return time.Since(start), err
}

// tell says what became of a request to whoever listens.
func (g *Gateway) tell(x Exchange, apiKey string) {
	g.Observe(x)
	if g.Log == nil {
		return
	}
	if apiKey != "" {
		x.KeyHash = ledger.KeyHash(apiKey)
	}
	g.Log(x)
}

// setHeader sets what the gateway itself says on every answer.
func (w *recorder) setHeader(req *inbound.Request, adm *admission) {
	h := w.Header()
	w.id[0] = req.ID
	h["X-Request-Id"] = w.id[:]
	if adm.permit.Decision.Limit.Window > 0 {
		adm.permit.Decision.SetHeaderSpelled(h)
	}
}

func outgoing(req *inbound.Request) upstream.Outgoing {
	return upstream.Outgoing{
		Path: req.Path, Query: req.Query,
		RequestID:      req.ID,
		ForwardedFor:   req.Forwarded.For,
		ForwardedHost:  req.Forwarded.Host,
		ForwardedProto: req.Forwarded.Proto,
		Subprotocol:    req.Subprotocol,
	}
}

// refuse writes the answer to err, unless there is nobody or no way to tell.
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

// LeaveBody lets an answer go out that has no use for the request's body. That may
// still be on its way, and reading it to keep the connection would let whoever
// sends it hold up the answer.
func LeaveBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	}
}
