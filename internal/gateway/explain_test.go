package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

const apiKey = "an-api-key-of-the-tests"

// explainer is a gateway that can only explain, and a JWT for its one key, which
// may GET /a twice.
func explainer(t *testing.T) (*Gateway, string) {
	t.Helper()
	server := redistest.Start(t)
	store := storage.Open(storage.Options{Addrs: []string{server.Addr}, Timeout: 5 * time.Second, Prefix: "token:", DefaultLimit: ratelimit.Limit{Window: 744 * time.Hour}})
	t.Cleanup(func() { _ = store.Close() })
	grant := storage.Grant{APIKey: apiKey, RateLimit: 2, AllowedRoutes: []string{"GET /a"}, ExpiresAt: time.Now().Add(time.Hour), Expires: time.Now().Add(time.Hour).Unix()}
	if _, err := registry.New(store).Create(t.Context(), grant, time.Hour); err != nil {
		t.Fatal(err)
	}
	key, err := jwtauth.NewHMACKey("HS256", []byte("a secret of the tests, of forty-some bytes!!"))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jwtauth.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := key.Sign(jwtauth.Claims{APIKey: apiKey, Expires: grant.Expires})
	if err != nil {
		t.Fatal(err)
	}
	return &Gateway{Inbound: inbound.NewReader(inbound.Options{}), Verifier: verifier, Ledger: ledger.New(store, ledger.Options{}), Now: time.Now}, jwt
}

// marks writes a verdict's stages as they are shown: ✓, ✗ or - for not checked.
func marks(v Verdict) string {
	var b strings.Builder
	for _, s := range v.Stages {
		mark := "-"
		if s.OK != nil {
			mark = map[bool]string{true: "✓", false: "✗"}[*s.OK]
		}
		b.WriteString(mark)
	}
	return b.String()
}

func TestExplainGoesStageByStage(t *testing.T) {
	g, jwt := explainer(t)
	unsigned := jwt[:strings.LastIndex(jwt, ".")+1]
	blind := &Gateway{Inbound: g.Inbound, Ledger: g.Ledger, Now: g.Now}
	for _, tt := range []struct {
		name  string
		g     *Gateway
		q     Question
		marks string // request, bearer, signature, claims, record, route, limit
		code  Reason
	}{
		{"passes", g, Question{JWT: jwt, APIKey: apiKey, Path: "/a"}, "✓✓✓✓✓✓✓", ReasonOK},
		{"the key alone", g, Question{APIKey: apiKey, Path: "/a"}, "✓---✓✓✓", ReasonOK},
		{"the token alone", g, Question{JWT: jwt, APIKey: apiKey}, "-✓✓✓✓--", ReasonOK},
		{"no secret", blind, Question{JWT: jwt, APIKey: apiKey, Path: "/a"}, "✓✓-✓✓✓✓", ReasonOK},
		{"no secret, unsigned", blind, Question{JWT: unsigned, APIKey: apiKey, Path: "/a"}, "✓✓-✓✓✓✓", ReasonOK},
		{"the request", g, Question{JWT: jwt, APIKey: apiKey, Path: "//a"}, "✗------", ReasonBadRequest},
		{"the bearer", g, Question{JWT: "a b", APIKey: apiKey, Path: "/a"}, "✓✗-----", ReasonInvalidToken},
		{"the signature", g, Question{JWT: unsigned, APIKey: apiKey, Path: "/a"}, "✓✓✗----", ReasonInvalidToken},
		{"the record", g, Question{APIKey: "another-key-of-the-tests"}, "----✗--", ReasonUnknownToken},
		{"the method", g, Question{JWT: jwt, APIKey: apiKey, Path: "/a", Method: "PUT"}, "✓✓✓✓✓✗-", ReasonRouteForbidden},
		{"the path", g, Question{APIKey: apiKey, Path: "/b"}, "✓---✓✗-", ReasonRouteForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.g.Explain(t.Context(), tt.q)
			if got := marks(v); got != tt.marks || v.Code != tt.code {
				t.Errorf("%s %s, want %s %s: %+v", got, v.Code, tt.marks, tt.code, v.Stages)
			}
			if v.Allowed != (v.Err == nil) || v.Allowed != (v.Status == 200) || v.Allowed == strings.Contains(tt.marks, "✗") {
				t.Errorf("%+v", v)
			}
		})
	}
}

// A question leaves the limit as it was, and sees what requests have taken.
func TestExplainSeesTheLimitAndLeavesIt(t *testing.T) {
	g, jwt := explainer(t)
	q := Question{JWT: jwt, APIKey: apiKey, Path: "/a"}
	for taken := range 3 {
		for range 3 {
			v := g.Explain(t.Context(), q)
			if v.Allowed != (taken < 2) || !v.Allowed && (v.Code != ReasonRateLimited || marks(v) != "✓✓✓✓✓✓✗") {
				t.Fatalf("after %d: %+v", taken, v)
			}
		}
		req := inbound.Request{Method: "GET", Path: "/a", Bearer: jwt}
		if _, err := g.admit(t.Context(), &req, take); taken < 2 && err != nil || taken == 2 && !errors.Is(err, errLimited) {
			t.Fatalf("request %d: %v", taken, err)
		}
	}
}

// What no row explains is a fault of the program's, and must not look like a pass.
func TestAFaultIsNeverAPass(t *testing.T) {
	for _, q := range []Question{{APIKey: apiKey}, {APIKey: apiKey, Path: "/a"}} {
		if v, _ := q.outcome(errors.New("never heard of")); v.Allowed || v.Status != 500 {
			t.Errorf("%+v", v)
		}
	}
}

// An admitted request must not cost the heap more than the stages do.
func TestAdmitAllocatesNothingOfItsOwn(t *testing.T) {
	g, jwt := explainer(t)
	req := inbound.Request{Method: "GET", Path: "/a", Bearer: jwt}
	never := func(*storage.Record) error { return errRoute }
	staged := testing.AllocsPerRun(20, func() {
		token, _ := g.Verifier.Verify(jwt, time.Now())
		_, _ = g.Ledger.Take(t.Context(), token.APIKey, never)
	})
	req.Path = "/b" // refused by the record, so that no permit ends the comparison
	admitted := testing.AllocsPerRun(20, func() { _, _ = g.admit(t.Context(), &req, take) })
	if admitted > staged {
		t.Errorf("%v allocations, the stages alone cost %v", admitted, staged)
	}
}
