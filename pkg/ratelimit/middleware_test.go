package ratelimit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// broken fails as a store does that is away.
type broken struct{}

var errAway = errors.New("away")

func (broken) Take(context.Context, string, Limit, int64) (Decision, error) {
	return Decision{}, errAway
}

// serve sends one request through the middleware; reached says when the handler
// was called, the zero time if it was not.
func serve(m Middleware, r *http.Request) (w *httptest.ResponseRecorder, reached time.Time) {
	w = httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = time.Now() })).ServeHTTP(w, r)
	return w, reached
}

func byHeader(limit Limit) func(*http.Request) (string, Limit) {
	return func(r *http.Request) (string, Limit) { return r.Header.Get("Key"), limit }
}

func request(ctx context.Context, key string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("Key", key)
	return r
}

func TestMiddlewareLimits(t *testing.T) {
	clock := newClock()
	m := Middleware{
		Limiter: NewLocal(LocalOptions{Now: clock.now}),
		Limit:   byHeader(Limit{Permits: 1, Window: time.Minute}),
	}
	for _, tt := range []struct {
		key, retry, rate string
		status           int
	}{
		{"a", "", `"default";r=0;t=22`, 200},
		{"a", "22", `"default";r=0;t=22`, 429},
		{"b", "", `"default";r=0;t=22`, 200},
		{"", "", "", 200},
		{"", "", "", 200},
	} {
		w, reached := serve(m, request(t.Context(), tt.key))
		if w.Code != tt.status || w.Header().Get("Retry-After") != tt.retry || w.Header().Get("RateLimit") != tt.rate || reached.IsZero() != (tt.status != 200) {
			t.Errorf("%q: %d, %v, reached %v; want %+v", tt.key, w.Code, w.Header(), reached, tt)
		}
	}
}

func TestMiddlewareDeniesWithoutADecision(t *testing.T) {
	var told error
	for _, tt := range []struct {
		name    string
		onError func(*http.Request, error) bool
		status  int
	}{
		{"by default", nil, 503},
		{"told so", func(_ *http.Request, err error) bool { told = err; return false }, 503},
		{"unless told otherwise", func(_ *http.Request, err error) bool { told = err; return true }, 200},
	} {
		told = nil
		m := Middleware{Limiter: broken{}, Limit: byHeader(Limit{Permits: 1, Window: time.Minute}), OnError: tt.onError}
		w, reached := serve(m, request(t.Context(), "a"))
		if w.Code != tt.status || reached.IsZero() != (tt.status != 200) || (w.Header().Get("Retry-After") == "1") != (tt.status == 503) {
			t.Errorf("%s: %d, %v, reached %v", tt.name, w.Code, w.Header(), reached)
		}
		if tt.onError != nil && !errors.Is(told, errAway) {
			t.Errorf("%s: told of %v", tt.name, told)
		}
	}
}

func TestMiddlewareSpacesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Middleware{
			Limiter: NewLocal(LocalOptions{}),
			Limit:   byHeader(Limit{Algorithm: LeakyBucket, Permits: 1, Window: time.Second, MaxDelay: time.Second}),
		}
		start := time.Now()
		for i := range 4 { // each waits for its own turn, as it takes it
			w, reached := serve(m, request(t.Context(), "a"))
			if want := time.Duration(i) * time.Second; w.Code != 200 || reached.Sub(start) != want {
				t.Errorf("request %d: %d, %v after the first, want %v", i, w.Code, reached.Sub(start), want)
			}
		}

		gone, leave := context.WithCancel(t.Context())
		go func() {
			time.Sleep(300 * time.Millisecond)
			leave()
		}()
		left := time.Now()
		if w, reached := serve(m, request(gone, "a")); w.Code != 503 || !reached.IsZero() || time.Since(left) != 300*time.Millisecond {
			t.Errorf("a client that left after 300 ms: %d, reached %v, after %v", w.Code, reached, time.Since(left))
		}
	})
}
