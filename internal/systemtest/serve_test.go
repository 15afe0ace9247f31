package systemtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// forever is a window whose end no test meets.
const forever = 876_000 * time.Hour

func TestTenPermitsAreTen(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{Limit: 10, Window: forever})

	for i := range 10 {
		r := w.get("/api/v1/test", key.JWT)
		w.want(r, 200, "")
		if got, want := r.Header.Get("RateLimit"), fmt.Sprintf(`"default";r=%d;t=`, 9-i); !strings.HasPrefix(got, want) {
			t.Errorf("RateLimit: %s, want %s…", got, want)
		}
		if got := r.Header.Get("RateLimit-Policy"); got != `"default";q=10;w=3153600000` {
			t.Errorf("RateLimit-Policy: %s", got)
		}
	}
	for range 3 {
		r := w.get("/api/v1/test", key.JWT)
		w.want(r, 429, "rate_limited")
		for name, want := range map[string]string{"X-Ratelimit-Limit": "10", "X-Ratelimit-Remaining": "0"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if after, reset := r.Header.Get("Retry-After"), r.Header.Get("X-Ratelimit-Reset"); after == "" || after != reset {
			t.Errorf("Retry-After %q, X-RateLimit-Reset %q", after, reset)
		}
	}
	if n := len(w.backend.requests()); n != 10 {
		t.Errorf("the backend saw %d requests, want 10", n)
	}
	if got := w.metric(`tykctl_requests_total{code="429",reason="rate_limited"}`); got != "3" {
		t.Errorf("429s counted: %s, want 3", got)
	}
}

func TestLimitIsExactUnderConcurrency(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{Limit: 50, Window: forever})
	w.backend.answer(func(http.ResponseWriter, *http.Request) {})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				w.get("/api/v1/test", key.JWT)
			}
		})
	}
	wg.Wait()
	if n := len(w.backend.requests()); n != 50 {
		t.Errorf("%d of 160 were let through, want 50", n)
	}
}

func TestRefusalsConsumeNothing(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{Limit: 10, Window: forever, Routes: []string{"/api/v1/test", "POST /only/post"}})
	for range 5 {
		w.want(w.get("/other", key.JWT), 403, "route_forbidden")
		w.want(w.get("/only/post", key.JWT), 403, "route_forbidden")
		w.want(w.get("/api/v1/test", ""), 401, "missing_token")
		w.want(w.get("/api/v1/test", key.JWT+"A"), 401, "invalid_token")
		w.want(w.raw("GET /a/../api/v1/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+key.JWT+"\r\n\r\n"), 400, "bad_request")
	}
	if n := w.used(key.APIKey); n != 0 {
		t.Errorf("refusals took %d permits", n)
	}
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
	w.want(w.get("/other", key.JWT), 403, "route_forbidden") // now from a record in memory
	if n := w.used(key.APIKey); n != 1 {
		t.Errorf("%d permits are taken, want 1", n)
	}
}

func TestRecordCountsAtTheNextRequest(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{Limit: 2, Window: forever})
	write := func(limit int, routes string) {
		w.record(key.APIKey, fmt.Sprintf(`{"rate_limit": %d.0, "allowed_routes": [%s], "window": "876000h", "added_by": "another program"}`, limit, routes))
	}
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
	w.want(w.get("/api/v1/test", key.JWT), 429, "rate_limited")

	// A key that is being refused is looked up once a second.
	write(3, `"/api/v1/test"`)
	w.eventually("the raised limit", func() bool { return w.get("/api/v1/test", key.JWT).StatusCode == 200 })
	w.want(w.get("/api/v1/test", key.JWT), 429, "rate_limited")
	if denied := w.metric("tykctl_limiter_local_denials_total"); denied == "0" {
		t.Error("no refusal came from memory")
	}

	write(9, `"/elsewhere"`)
	w.eventually("the changed routes", func() bool { return w.get("/api/v1/test", key.JWT).StatusCode == 403 })
	w.want(w.get("/elsewhere", key.JWT), 200, "")
	if n := w.used(key.APIKey); n != 4 {
		t.Errorf("%d permits are taken, want 4", n)
	}

	if n := w.client.Del(t.Context(), "token:"+key.APIKey).Val(); n != 1 {
		t.Fatalf("deleted %d records", n)
	}
	w.want(w.get("/elsewhere", key.JWT), 401, "unknown_token")

	write(9, `"/elsewhere"`)
	w.want(w.get("/elsewhere", key.JWT), 200, "")
}

func TestRecordDecidesWhenAKeyEnds(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
	for _, end := range []string{`"expires_at":"2020-01-01T00:00:00Z"`, `"exp":1577836800`} {
		w.record(key.APIKey, `{"rate_limit":5,"allowed_routes":["/api/v1/test"],`+end+`}`)
		w.want(w.get("/api/v1/test", key.JWT), 401, "expired_token")
	}
}

func TestTokens(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	now := time.Now()
	other, err := jwtauth.NewHMACKey("HS256", []byte("another secret of enough bytes, surely 32"))
	if err != nil {
		t.Fatal(err)
	}
	sign := func(k jwtauth.Key, expires time.Time) string {
		jwt, err := k.Sign(jwtauth.Claims{APIKey: key.APIKey, Expires: expires.Unix(), IssuedAt: now.Unix() - 10})
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	for name, tt := range map[string]struct {
		jwt       string
		code      string
		challenge string
	}{
		"expired":         {sign(w.in.Key, now.Add(-time.Second)), "expired_token", `Bearer realm="tykctl", error="invalid_token"`},
		"another secret":  {sign(other, now.Add(time.Hour)), "invalid_token", `Bearer realm="tykctl", error="invalid_token"`},
		"not a JWT":       {"abc", "invalid_token", `Bearer realm="tykctl", error="invalid_token"`},
		"no token at all": {"", "missing_token", `Bearer realm="tykctl"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.get("/api/v1/test", tt.jwt)
			w.want(r, 401, tt.code)
			if got := r.Header.Get("Www-Authenticate"); got != tt.challenge {
				t.Errorf("WWW-Authenticate: %s, want %s", got, tt.challenge)
			}
		})
	}
	if n := len(w.backend.requests()); n != 0 {
		t.Errorf("the backend saw %d requests", n)
	}
}

func TestUnknownLooksLikeInvalid(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.client.Del(t.Context(), "token:"+key.APIKey)
	unknown, invalid := w.get("/api/v1/test", key.JWT), w.get("/api/v1/test", "abc")
	w.want(unknown, 401, "unknown_token")
	if unknown.problem.Detail != invalid.problem.Detail || unknown.problem.Title != invalid.problem.Title {
		t.Errorf("a guesser can tell them apart:\n%s\n%s", unknown.body, invalid.body)
	}
}

func TestRecordsThatCannotBeUsed(t *testing.T) {
	for name, spoil := range map[string]func(w *world, apiKey string){
		"not JSON":       func(w *world, k string) { w.record(k, `{"rate_limit":`) },
		"no limit":       func(w *world, k string) { w.record(k, `{"allowed_routes":["/api/v1/test"]}`) },
		"limit a string": func(w *world, k string) { w.record(k, `{"rate_limit":"ten"}`) },
		"limit below 0":  func(w *world, k string) { w.record(k, `{"rate_limit":-1}`) },
		"another's":      func(w *world, k string) { w.record(k, `{"api_key":"somebody-else-1234","rate_limit":5}`) },
		"window":         func(w *world, k string) { w.record(k, `{"rate_limit":5,"window":"a minute"}`) },
		"a list": func(w *world, k string) {
			w.client.Del(w.t.Context(), "token:"+k)
			w.client.RPush(w.t.Context(), "token:"+k, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil)
			key := w.token(desk.Grant{})
			w.want(w.get("/api/v1/test", key.JWT), 200, "")
			spoil(w, key.APIKey)
			for range 3 {
				r := w.get("/api/v1/test", key.JWT)
				w.want(r, 503, "store_unavailable")
				if r.Header.Get("Retry-After") != "1" {
					t.Errorf("Retry-After: %q", r.Header.Get("Retry-After"))
				}
			}
			if n := w.log.count("unusable record"); n != 1 {
				t.Errorf("complained %d times, want once", n)
			}
			if w.log.count(key.APIKey) != 0 {
				t.Error("the log shows the key")
			}
		})
	}
}

func TestRedisAway(t *testing.T) {
	store := redistest.Start(t)
	first := startWith(t, store, nil)
	key := first.token(desk.Grant{})

	store.Stop()
	w := startWith(t, store, nil)
	w.eventually("a complaint", func() bool { return w.log.count("redis is down: requests get 503") == 1 })
	r := w.get("/api/v1/test", key.JWT)
	w.want(r, 503, "store_unavailable")
	if r.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", r.Header.Get("Retry-After"))
	}
	// Redis is not asked before the signature holds.
	w.want(w.get("/api/v1/test", key.JWT[:len(key.JWT)-4]+"AAAA"), 401, "invalid_token")
	if r := w.get("/ready", ""); r.StatusCode != 503 || !strings.Contains(r.body, "redis") {
		t.Errorf("/ready: %d %q", r.StatusCode, r.body)
	}
	if r := w.get("/health", ""); r.StatusCode != 200 || r.body != "Ok" {
		t.Errorf("/health: %d %q", r.StatusCode, r.body)
	}
	if up := w.metric("tykctl_redis_up"); up != "0" {
		t.Errorf("tykctl_redis_up %s, want 0", up)
	}

	store.Restart()
	w.ready()
	if r := w.get("/ready", ""); r.StatusCode != 200 || r.body != "Ok" {
		t.Errorf("/ready: %d %q", r.StatusCode, r.body)
	}
	w.want(w.get("/api/v1/test", key.JWT), 401, "unknown_token") // it came back empty
	w.want(w.get("/api/v1/test", w.token(desk.Grant{}).JWT), 200, "")
	if n := w.log.count("redis is down: requests get 503"); n != 1 {
		t.Errorf("complained %d times, want once", n)
	}
	if n := w.log.count("redis answers again"); n != 1 {
		t.Errorf("said %d times that it is back, want once", n)
	}
}

func TestRedisHangs(t *testing.T) {
	w := start(t, map[string]string{"redis.timeout": "50ms"})
	key := w.token(desk.Grant{})
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
	w.redis.Pause()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.want(w.get("/api/v1/test", key.JWT), 503, "store_unavailable") })
	}
	wg.Wait()
	w.redis.Resume()
	w.eventually("a permit again", func() bool { return w.get("/api/v1/test", key.JWT).StatusCode == 200 })
}
