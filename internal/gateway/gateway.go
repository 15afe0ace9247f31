// Package gateway is the way of a request: the order of the stages, and the one
// table from what went wrong to what the client is told.
//
// Each stage lives in its own package and knows no other; none of them knows
// HTTP's status codes. Only here is a refusal written.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/storage"
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
	// Logger is where faults of the program itself go, with their stacks; nil is nowhere.
	Logger *slog.Logger

	// Draining is closed when requests that are held back by their limit must wait
	// no longer; nil is never.
	Draining <-chan struct{}

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
	Received int64         // bytes of the request's body, as far as it was read

	// What the client said, of any length and with any bytes.
	Host, Proto, UserAgent string
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
	allow := func(rec *storage.Record) error {
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
// forward; or, from wherever it stops, to its refusal. A panic on the way is a
// refusal too, and is logged with its stack.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := &recorder{ResponseWriter: w}
	others := g.inFlight.Add(1) - 1
	defer g.inFlight.Add(-1)

	x, apiKey, whole := g.exchange(out, r, others)
	x.Host, x.Proto, x.UserAgent = host(r, &x.Request), r.Proto, agent(r)
	x.Total, x.Sent, x.Received = time.Since(start), out.sent, out.received.Load()
	g.tell(x, apiKey)
	if !whole {
		// The client must not take half an answer for a whole one, nor, if it has
		// only closed its own side, none for the 200 that net/http would make of it.
		panic(http.ErrAbortHandler)
	}
}

// exchange has one request answered. It reports false if the answer has to be broken off.
func (g *Gateway) exchange(out *recorder, r *http.Request, others int64) (x Exchange, apiKey string, whole bool) {
	x.Reason = ReasonOK
	var adm admission
	defer func() {
		if p := recover(); p != nil {
			whole = g.failed(out, r, &x, &adm, p)
		}
	}()
	var err error
	x.Request, err = g.Inbound.Read(r)
	preflight := g.CORS != nil && g.preflight(out, r, &x.Request, err)
	if err == nil && g.MaxInFlight > 0 && others >= g.MaxInFlight {
		err = errOverloaded
	}
	if err == nil && !preflight {
		adm, err = g.admit(r.Context(), &x.Request, take)
	}
	apiKey, x.Redis = adm.token.APIKey, adm.permit.Waited
	out.setHeader(&x.Request, &adm)
	if err == nil {
		x.Delayed, err = g.hold(out, r, adm.permit.Decision)
	}
	var res upstream.Result
	switch {
	case preflight:
		res, err = answerPreflight(out, r), nil
	case err == nil && x.Request.Asked:
		res = vouch(out, r, apiKey)
	case err == nil:
		res, err = g.Upstream.Forward(out, r, outgoing(&x.Request, &out.received))
	}
	x.Status, x.Upstream = res.Status, res.Elapsed
	switch {
	case err != nil:
		x.Status, x.Reason = g.refuse(out, r, &x.Request, err)
		if !errors.Is(err, errLimited) && !errors.Is(err, errRoute) {
			x.Err = err
		}
	case x.Status >= http.StatusInternalServerError:
		x.Reason = ReasonUpstreamError
	}
	return x, apiKey, x.Status != statusClientGone && !errors.Is(err, upstream.ErrCut) && !untold(r, err)
}

// hold waits until a permit that was granted for later may be used, and tells how
// long that was. A client that leaves ends it, and so does a drain: the permit, which
// cannot be given back because later ones queue behind it, is then the only loss, and
// Retry-After says when its turn would have been.
func (g *Gateway) hold(w *recorder, r *http.Request, d ratelimit.Decision) (time.Duration, error) {
	if d.Delay <= 0 {
		return 0, nil
	}
	start := time.Now()
	turn := time.NewTimer(d.Delay)
	defer turn.Stop()
	select {
	case <-turn.C:
		return time.Since(start), nil
	case <-r.Context().Done():
		return time.Since(start), r.Context().Err()
	case <-g.Draining:
		waited := time.Since(start)
		left := max(d.Delay-waited, 0)
		h := w.Header()
		h["Retry-After"] = []string{strconv.Itoa(int(left/time.Second) + 1)}
		h["Connection"] = []string{"close"} // to HTTP/2 it is a GOAWAY
		return waited, errDraining
	}
}

// tell says what became of a request to whoever listens.
func (g *Gateway) tell(x Exchange, apiKey string) {
	g.Observe(x)
	if g.Log == nil {
		return
	}
	if apiKey != "" {
		x.KeyHash = storage.KeyHash(apiKey)
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

// host is the one that the client asked for, by the word of a trusted proxy if there is one.
func host(r *http.Request, req *inbound.Request) string {
	if req.Forwarded.Host != "" {
		return req.Forwarded.Host
	}
	return r.Host
}

func agent(r *http.Request) string {
	if values := r.Header["User-Agent"]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func outgoing(req *inbound.Request, received *atomic.Int64) upstream.Outgoing {
	return upstream.Outgoing{
		Path: req.Path, Query: req.Query,
		RequestID:      req.ID,
		Received:       received,
		ForwardedFor:   req.Forwarded.For,
		ForwardedHost:  req.Forwarded.Host,
		ForwardedProto: req.Forwarded.Proto,
		Subprotocol:    req.Subprotocol,
	}
}
