package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Question is what an operator asks: would the gateway let in a client with this
// token and this request?
type Question struct {
	JWT    string // "" to ask about the key alone
	APIKey string // the key, used if the JWT is not verified
	Method string // "" is GET
	Path   string // with a query, if any; "" to ask about the token alone
}

// Verdict is the response that the client would get. Its JSON form is fixed for scripts.
type Verdict struct {
	Allowed bool    `json:"allowed"`
	Status  int     `json:"status"` // 200 stands for any response of the backend
	Code    Reason  `json:"code"`
	Stages  []Trial `json:"stages"`
	// Err is why the request was refused.
	Err error `json:"-"`
}

// Trial is the result of one stage.
type Trial struct {
	Stage  Stage  `json:"stage"`
	OK     *bool  `json:"ok"` // nil: not checked
	Detail string `json:"detail"`
}

const (
	notReached = "not reached"
	notAsked   = "not checked: no path was given"
)

// Explain answers a question with the same stages that serve requests, but takes no
// permit. A Gateway that only explains needs neither Upstream nor Observe. Without a
// Verifier it checks a JWT's claims but not its signature.
func (g *Gateway) Explain(ctx context.Context, q Question) Verdict {
	req, err := g.read(ctx, q)
	var permit ledger.Permit
	if err == nil {
		permit, err = g.judge(ctx, q, &req)
	}
	v, end := q.outcome(err)
	for i, stage := range stages {
		t := Trial{Stage: stage}
		switch {
		case i < end:
			t.OK, t.Detail = g.passed(stage, q, permit)
		case v.Allowed:
			t.Detail = notAsked
		case i == end:
			t.OK, t.Detail = new(false), fault(err, &req, permit)
		default:
			t.Detail = notReached
		}
		v.Stages = append(v.Stages, t)
	}
	return v
}

// outcome returns the verdict without its stages, and how many stages passed.
func (q Question) outcome(err error) (v Verdict, passed int) {
	asked := len(stages)
	if q.Path == "" {
		asked = slices.Index(stages, StageRoute)
	}
	if err != nil {
		a, stage := answerTo(err)
		at := slices.Index(stages, stage)
		if at < 0 {
			at = asked - 1 // a bug in this program is never a pass
		}
		if at < asked {
			return Verdict{Status: a.status, Code: a.reason, Err: err}, at
		}
	}
	return Verdict{Allowed: true, Status: http.StatusOK, Code: ReasonOK}, asked
}

// stages are those that Explain checks.
var stages = []Stage{StageRequest, StageBearer, StageSignature, StageClaims, StageRecord, StageRoute, StageLimit}

// read reads the request in question as if it had come over the wire.
func (g *Gateway) read(ctx context.Context, q Question) (inbound.Request, error) {
	r := &http.Request{Method: q.Method, RequestURI: q.Path, Host: "gateway", Header: http.Header{}}
	if q.Method == "" {
		r.Method = http.MethodGet
	}
	if q.Path == "" {
		r.RequestURI = "/"
	}
	if q.JWT != "" {
		r.Header.Set("Authorization", "Bearer "+q.JWT)
	}
	req, err := g.Inbound.Read(r.WithContext(ctx))
	if q.JWT == "" && errors.Is(err, inbound.ErrNoToken) {
		err = nil // it comes last, so nothing else is wrong
	}
	if q.Path == "" {
		req.Path = ""
	}
	return req, err
}

func (g *Gateway) judge(ctx context.Context, q Question, req *inbound.Request) (ledger.Permit, error) {
	if q.JWT != "" && g.Verifier != nil {
		adm, err := g.admit(ctx, req, look)
		return adm.permit, err
	}
	if q.JWT != "" {
		if err := jwtauth.CheckClaims(q.JWT, g.Now()); err != nil {
			return ledger.Permit{}, err
		}
	}
	return g.permit(ctx, q.APIKey, req, look)
}

// passed describes a stage that let the request pass.
func (g *Gateway) passed(stage Stage, q Question, permit ledger.Permit) (ok *bool, detail string) {
	switch stage {
	case StageRequest:
		if q.Path == "" {
			return nil, notAsked
		}
	case StageBearer, StageSignature, StageClaims:
		if q.JWT == "" {
			return nil, "not checked: the key was given without a JWT"
		}
		if stage == StageSignature && g.Verifier == nil {
			return nil, "not checked: no secret is configured"
		}
	case StageLimit:
		d := permit.Decision
		if paced(d) {
			return new(true), fmt.Sprintf("%d permits left (%s) before this request, full again in %s", d.Remaining+1, d.Limit.Algorithm, seconds(d.Reset))
		}
		return new(true), fmt.Sprintf("%d of %d permits left before this request, resets in %s", d.Remaining+1, d.Limit.Permits, seconds(d.Reset))
	}
	return new(true), ""
}

// paced reports whether permits come back one by one instead of once per window.
func paced(d ratelimit.Decision) bool {
	return d.Limit.Algorithm != "" && d.Limit.Algorithm != ratelimit.FixedWindow
}

// fault says why a stage refuses, for the operator, who may know everything.
func fault(err error, req *inbound.Request, permit ledger.Permit) string {
	switch {
	case errors.Is(err, errRoute):
		routes := permit.Record.Routes.Patterns()
		if len(routes) == 0 {
			return "the key allows no route"
		}
		return fmt.Sprintf("%s %s matches none of the key's routes: %s", req.Method, req.Path, strings.Join(routes, ", "))
	case errors.Is(err, errLimited):
		d := permit.Decision
		if d.Limit.Permits == 0 {
			return "the key's limit is 0: it allows no request"
		}
		if paced(d) {
			return fmt.Sprintf("no permits left (%s), the next one comes in %s", d.Limit.Algorithm, seconds(d.RetryAfter))
		}
		return fmt.Sprintf("0 of %d permits left, resets in %s", d.Limit.Permits, seconds(d.Reset))
	case errors.Is(err, storage.ErrUnknown):
		return "no record of this key: it was revoked, has expired or never existed"
	case errors.Is(err, storage.ErrExpired):
		return fmt.Sprintf("%s: since %s", err, permit.Record.Expires.UTC().Format(time.RFC3339))
	}
	return err.Error()
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
}
