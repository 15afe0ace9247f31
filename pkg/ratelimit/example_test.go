package ratelimit_test

import (
	"fmt"
	"net/http"
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
