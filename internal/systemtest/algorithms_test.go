package systemtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/desk"
)

// limited replaces a key's limit in its record.
func (w *world) limited(apiKey, limit string) {
	w.t.Helper()
	w.record(apiKey, `{"allowed_routes":["/api/v1/test"],`+limit+`}`)
}

func TestTheRecordChoosesTheAlgorithm(t *testing.T) {
	w := start(t, nil)
	for _, tt := range []struct {
		limit, policy, state string
		granted              int
	}{
		{`"rate_limit":2,"window":"24h"`, `"default";q=2;w=86400`, "rate_count:%s:*", 2},
		{`"rate_limit":2,"window":"24h","algorithm":"sliding_window"`, `"default";q=2;w=86400`, "rate_sliding:%s", 2},
		{`"rate_limit":2,"window":"24h","algorithm":"token_bucket"`, `"default";q=2;w=86400`, "rate_bucket:%s", 2},
		{`"rate_limit":2,"window":"24h","algorithm":"token_bucket","burst":3`, `"default";q=2;w=86400;burst=3`, "rate_bucket:%s", 3},
		{`"rate_limit":2,"window":"24h","algorithm":"leaky_bucket"`, `"default";q=2;w=86400`, "rate_queue:%s", 1},
	} {
		key := w.token(desk.Grant{})
		w.limited(key.APIKey, tt.limit)
		for i := range tt.granted {
			r := w.get("/api/v1/test", key.JWT)
			w.want(r, 200, "")
			if got, want := r.Header.Get("RateLimit"), fmt.Sprintf(`"default";r=%d;t=`, tt.granted-1-i); !strings.HasPrefix(got, want) {
				t.Errorf("%s: RateLimit: %s, want %s…", tt.limit, got, want)
			}
		}
		r := w.get("/api/v1/test", key.JWT)
		w.want(r, 429, "rate_limited")
		if got := r.Header.Get("RateLimit-Policy"); got != tt.policy {
			t.Errorf("%s: RateLimit-Policy: %s, want %s", tt.limit, got, tt.policy)
		}
		if r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", tt.limit)
		}
		if n, err := w.client.Keys(t.Context(), fmt.Sprintf(tt.state, key.APIKey)).Result(); err != nil || len(n) != 1 {
			t.Errorf("%s: states %q, %v", tt.limit, n, err)
		}
	}
}

func TestTheConfigurationChoosesForRecordsThatDoNot(t *testing.T) {
	w := start(t, map[string]string{
		"application.rate_limit.algorithm": "token_bucket",
		"application.rate_limit.burst":     "3",
		"application.rate_limit.window":    "24h",
	})
	for limit, policy := range map[string]string{
		`"rate_limit":2`:                            `"default";q=2;w=86400;burst=3`,
		`"rate_limit":2,"burst":1`:                  `"default";q=2;w=86400;burst=1`,
		`"rate_limit":2,"algorithm":"token_bucket"`: `"default";q=2;w=86400`,
		`"rate_limit":2,"algorithm":"fixed_window"`: `"default";q=2;w=86400`,
	} {
		key := w.token(desk.Grant{})
		w.limited(key.APIKey, limit)
		if got := w.get("/api/v1/test", key.JWT).Header.Get("RateLimit-Policy"); got != policy {
			t.Errorf("%s: RateLimit-Policy: %s, want %s", limit, got, policy)
		}
	}
}

// Three requests that come one behind the other leave one interval apart, and the
// time that they are held back is not the gateway's own.
func TestLeakyBucketHoldsRequestsBack(t *testing.T) {
	const interval = 200 * time.Millisecond
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.limited(key.APIKey, `"rate_limit":5,"window":"1s","algorithm":"leaky_bucket","max_delay":"10s"`)
	begun := time.Now()
	for range 3 {
		w.want(w.get("/api/v1/test", key.JWT), 200, "")
	}
	if took := time.Since(begun); took < 2*interval {
		t.Errorf("three requests took %v, want %v at least", took, 2*interval)
	}
	w.eventually("the delays are logged", func() bool { return w.log.count(`"delayed_ms":`) > 0 })
}

func TestClientThatLeavesIsNotSentOn(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.limited(key.APIKey, `"rate_limit":1,"window":"1h","algorithm":"leaky_bucket","max_delay":"1h"`)
	w.want(w.get("/api/v1/test", key.JWT), 200, "")

	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/test", nil)
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+key.JWT)
			_, err = http.DefaultClient.Do(req) //nolint:bodyclose // there is no answer
		}
		left <- err
	}()
	w.eventually("the request is held back", func() bool { return w.metric("tykctl_in_flight_requests") == "1" })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	w.eventually("the gateway has noticed", func() bool { return w.log.count(`"reason":"client_gone"`) == 1 })
	if n := len(w.backend.requests()); n != 1 {
		t.Errorf("the backend got %d requests, want the first alone", n)
	}
}
