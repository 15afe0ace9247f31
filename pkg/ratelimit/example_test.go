package ratelimit_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func ExampleDecideFixedWindow() {
	limit := ratelimit.Limit{Permits: 10, Window: time.Minute}
	now := time.Unix(1_700_000_018, 0)

	// Eight permits were taken before; three more are asked for.
	d := ratelimit.DecideFixedWindow(limit, 8+3, 3, now)

	fmt.Println("granted", d.Granted, "left", d.Remaining, "retry after", d.RetryAfter)
	// Output: granted 2 left 0 retry after 22s
}

func ExampleLimit_Decide() {
	// Three at once after a rest, and then one each six seconds.
	limit := ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 10, Window: time.Minute, Burst: 3}
	now := time.Unix(1_700_000_018, 0)

	var state ratelimit.State
	for _, after := range []time.Duration{0, 0, 6 * time.Second} {
		var d ratelimit.Decision
		now = now.Add(after)
		state, d = limit.Decide(state, 2, now)
		fmt.Println("granted", d.Granted, "left", d.Remaining, "retry after", d.RetryAfter)
	}
	// Output:
	// granted 2 left 1 retry after 0s
	// granted 1 left 0 retry after 6s
	// granted 1 left 0 retry after 6s
}

func ExampleDecision_Nth() {
	// Three callers came together; one taking serves them all.
	limit := ratelimit.Limit{Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: time.Second, MaxDelay: 100 * time.Millisecond}
	_, d := limit.Decide(ratelimit.State{}, 3, time.Unix(1_700_000_018, 0))
	for i := range int64(3) {
		fmt.Println("allowed", d.Nth(i).Allowed(), "delay", d.Nth(i).Delay, "retry after", d.Nth(i).RetryAfter)
	}
	// Output:
	// allowed true delay 0s retry after 0s
	// allowed true delay 100ms retry after 0s
	// allowed false delay 0s retry after 100ms
}

func ExampleLocal() {
	limiter := ratelimit.NewLocal(ratelimit.LocalOptions{MaxKeys: 10_000})
	limit := ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 2, Window: 24 * time.Hour}
	for range 3 {
		d, err := limiter.Take(context.Background(), "customer-7", limit, 1)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("allowed", d.Allowed(), "left", d.Remaining)
	}
	// Output:
	// allowed true left 1
	// allowed true left 0
	// allowed false left 0
}

func ExampleMiddleware() {
	limited := ratelimit.Middleware{
		Limiter: ratelimit.NewLocal(ratelimit.LocalOptions{}),
		Limit: func(r *http.Request) (string, ratelimit.Limit) {
			return r.Header.Get("X-Customer"), ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 1, Window: time.Hour}
		},
		OnError: func(_ *http.Request, err error) bool {
			log.Print(err)
			return false
		},
	}
	handler := limited.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	}))

	for range 2 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Customer", "customer-7")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Printf("%d %s %q\n", w.Code, w.Header().Get("RateLimit"), w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 "default";r=0;t=3600 ""
	// 429 "default";r=0;t=3600 "3600"
}

func ExampleDecision_SetHeader() {
	d := ratelimit.Decision{
		Limit:     ratelimit.Limit{Permits: 10, Window: time.Minute},
		Granted:   1,
		Remaining: 7,
		Reset:     42 * time.Second,
	}
	h := http.Header{}
	d.SetHeader(h)
	fmt.Println(h.Get("RateLimit-Policy"))
	fmt.Println(h.Get("RateLimit"))
	fmt.Println(h.Get("X-RateLimit-Reset"))
	// Output:
	// "default";q=10;w=60
	// "default";r=7;t=42
	// 42
}

func ExampleLimit_Validate() {
	err := ratelimit.Limit{Permits: 10, Window: 1500 * time.Millisecond}.Validate()
	fmt.Println(err)
	// Output: ratelimit: invalid limit: window 1.5s, want whole seconds, at least 1s
}
