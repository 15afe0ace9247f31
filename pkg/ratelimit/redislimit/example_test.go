package redislimit_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// startRedis stands in for a Redis whose clock shows 18 s past a full minute.
func startRedis() (addr string, stop func()) {
	server, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	server.SetTime(time.Unix(1_700_000_058, 0))
	return server.Addr(), server.Close
}

func ExampleLimiter_Take() {
	addr, stop := startRedis()
	defer stop()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()

	limiter := redislimit.New(client, redislimit.Options{})
	limit := ratelimit.Limit{Permits: 2, Window: time.Minute}
	for range 3 {
		d, err := limiter.Take(context.Background(), "customer-7", limit, 1)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("allowed", d.Allowed(), "left", d.Remaining, "retry after", d.RetryAfter)
	}
	// Output:
	// allowed true left 1 retry after 0s
	// allowed true left 0 retry after 0s
	// allowed false left 0 retry after 42s
}

// A queue spaces what comes at once: here one request each 100 ms, of which none
// waits for longer than 200 ms.
func ExampleLimiter_Take_queue() {
	addr, stop := startRedis()
	defer stop()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()
	ctx := context.Background()

	limiter := redislimit.New(client, redislimit.Options{})
	limit := ratelimit.Limit{
		Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: time.Second, MaxDelay: 200 * time.Millisecond,
	}
	for range 4 {
		d, err := limiter.Take(ctx, "customer-7", limit, 1)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("allowed", d.Allowed(), "delay", d.Delay, "retry after", d.RetryAfter)
	}
	// Output:
	// allowed true delay 0s retry after 0s
	// allowed true delay 100ms retry after 0s
	// allowed true delay 200ms retry after 0s
	// allowed false delay 0s retry after 100ms
}

func ExampleLimiter_TakeIf() {
	addr, stop := startRedis()
	defer stop()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()
	ctx := context.Background()
	client.Set(ctx, "plan:{customer-7}", "gold", 0)

	limiter := redislimit.New(client, redislimit.Options{HashTag: true})
	limit := ratelimit.Limit{Permits: 2, Window: time.Minute}
	for _, plan := range []string{"gold", "silver"} {
		guard := redislimit.Guard{Key: "plan:{customer-7}", Value: plan}
		o, err := limiter.TakeIf(ctx, guard, "customer-7", limit, 1)
		if err != nil {
			log.Fatal(err)
		}
		if o.Changed {
			fmt.Printf("not %s but %s: nothing taken\n", plan, o.Current)
			continue
		}
		fmt.Printf("%s: allowed %v, left %d\n", plan, o.Decision.Allowed(), o.Decision.Remaining)
	}
	// Output:
	// gold: allowed true, left 1
	// not silver but gold: nothing taken
}
