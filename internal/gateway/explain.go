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

// Question is what an operator asks about: would a client that holds this be let
// in with this request?
type Question struct {
	JWT    string // "" to ask about the key by itself
	APIKey string // the key, which counts where the JWT is not verified
	Method string // "" is GET
	Path   string // with a query, if any; "" to ask about the token alone
}

// Verdict is what the client would be told. Its JSON form is fixed for scripts.
type Verdict struct {
	Allowed bool    `json:"allowed"`
	Status  int     `json:"status"` // 200 stands for whatever the backend answers
	Code    Reason  `json:"code"`
	Stages  []Trial `json:"stages"`
	// Err is what refused the request.
	Err error `json:"-"`
}

// Trial is what became of a request in one stage.
type Trial struct {
	Stage  Stage  `json:"stage"`
	OK     *bool  `json:"ok"` // nil: not checked
	Detail string `json:"detail"`
}

const (
	notReached = "not reached"
	notAsked   = "not asked: name a path"
)

// Explain answers a question by the very stages that serve requests, and takes
// nothing. A Gateway for this alone needs neither Upstream nor Observe; without
// a Verifier, signatures are not checked and the JWT's claims are.
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

// outcome is the verdict without its stages, and how many of them were passed.
func (q Question) outcome(err error) (v Verdict, passed int) {
	asked := len(stages)
	if q.Path == "" {
		asked = slices.Index(stages, StageRoute)
	}
	if err != nil {
		a, stage := answerTo(err)
		at := slices.Index(stages, stage)
		if at < 0 {
			at = asked - 1 // a fault of this program is never a pass
		}
		if at < asked {
			return Verdict{Status: a.status, Code: a.reason, Err: err}, at
		}
	}
	return Verdict{Allowed: true, Status: http.StatusOK, Code: ReasonOK}, asked
}

// stages are those that Explain goes through.
var stages = []Stage{StageRequest, StageBearer, StageSignature, StageClaims, StageRecord, StageRoute, StageLimit}

// read has the request in question read as one that came over the wire.
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

// passed says what is worth knowing of a stage that let the request pass.
func (g *Gateway) passed(stage Stage, q Question, permit ledger.Permit) (ok *bool, detail string) {
	switch stage {
	case StageRequest:
		if q.Path == "" {
			return nil, notAsked
		}
	case StageBearer, StageSignature, StageClaims:
		if q.JWT == "" {
			return nil, "not checked: the key was named without a JWT"
		}
		if stage == StageSignature && g.Verifier == nil {
			return nil, "not checked: there is no secret"
		}
	case StageLimit:
		d := permit.Decision
		if paced(d) {
			return new(true), fmt.Sprintf("%d left of its %s before this request, all there again in %s", d.Remaining+1, d.Limit.Algorithm, seconds(d.Reset))
		}
		return new(true), fmt.Sprintf("%d of %d left before this request, resets in %s", d.Remaining+1, d.Limit.Permits, seconds(d.Reset))
	}
	return new(true), ""
}

// paced reports whether permits come back little by little instead of by the window.
func paced(d ratelimit.Decision) bool {
	return d.Limit.Algorithm != "" && d.Limit.Algorithm != ratelimit.FixedWindow
}

// fault says in words for the operator, who may know everything, why a stage
// refuses.
func fault(err error, req *inbound.Request, permit ledger.Permit) string {
	switch {
	case errors.Is(err, errRoute):
		routes := permit.Record.Routes.Patterns()
		if len(routes) == 0 {
			return "the record allows no route at all"
		}
		return fmt.Sprintf("%s %s is not among %s", req.Method, req.Path, strings.Join(routes, ", "))
	case errors.Is(err, errLimited):
		d := permit.Decision
		if d.Limit.Permits == 0 {
			return "the record's limit is 0: it lets nothing in"
		}
		if paced(d) {
			return fmt.Sprintf("nothing is left of its %s, the next permit is there in %s", d.Limit.Algorithm, seconds(d.RetryAfter))
		}
		return fmt.Sprintf("all %d of this window are used, resets in %s", d.Limit.Permits, seconds(d.Reset))
	case errors.Is(err, storage.ErrUnknown):
		return "no record of this key: it was revoked, has expired, or never was"
	case errors.Is(err, storage.ErrExpired):
		return fmt.Sprintf("%s: since %s", err, permit.Record.Expires.UTC().Format(time.RFC3339))
	}
	return err.Error()
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
}
