package redislimit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// farClient is a client of a Redis behind a wire, with the given time-out for each step.
func farClient(t *testing.T, wire *redistest.Wire, timeout time.Duration, conns int) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: wire.Addr, MaxRetries: -1, ContextTimeoutEnabled: true,
		ReadTimeout: timeout, WriteTimeout: timeout, PoolTimeout: timeout,
		PoolSize: conns, PipelinePoolSize: -1,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// With a round trip of four fifths of the time-out, callers who come one by one are all
// served, once the connections are open that this takes.
func TestSlowButSteady(t *testing.T) {
	for _, conns := range []int{10, 40} {
		t.Run(fmt.Sprint(conns, " connections"), func(t *testing.T) {
			t.Parallel()
			const (
				timeout = time.Second
				delay   = timeout * 4 / 5
				inARow  = 500
			)
			wire := redistest.StartWire(t, redistest.Start(t).Addr)
			limiter := New(farClient(t, wire, timeout, conns), Options{Timeout: timeout})
			mustTake(t, limiter, "warm", ratelimit.Limit{Permits: 1, Window: century}, 1)
			wire.Delay(delay)

			ctx, stop := context.WithCancel(t.Context())
			var served, failed atomic.Int64 // served since the last failure
			var callers sync.WaitGroup
			late := time.After(60 * time.Second)
			come := time.NewTicker(5 * time.Millisecond)
			defer come.Stop()
			for i := 0; served.Load() < inARow; i++ {
				callers.Go(func() {
					key := fmt.Sprint(i % 10)
					_, err := limiter.Take(ctx, key, ratelimit.Limit{Permits: 1_000_000, Window: century}, 1)
					switch {
					case err == nil:
						served.Add(1)
					case ctx.Err() == nil:
						failed.Add(1)
						served.Store(0)
					}
				})
				select {
				case <-late:
					t.Fatalf("never %d requests served in a row; %d failed", inARow, failed.Load())
				case <-come.C:
				}
			}
			stop()
			wire.Delay(0)
			callers.Wait()
			t.Logf("%d failed before", failed.Load())
		})
	}
}

// When a slow Redis says nothing any more, no connection is opened, and there is soon no
// more room for exchanges than with a fast one.
func TestASlowRedisHangs(t *testing.T) {
	t.Parallel()
	const timeout, conns = time.Second, 12
	wire := redistest.StartWire(t, redistest.Start(t).Addr)
	limiter := New(farClient(t, wire, timeout, conns), Options{Timeout: timeout})
	g := limiter.all
	mustTake(t, limiter, "warm", ratelimit.Limit{Permits: 1, Window: century}, 1)
	wire.Delay(100 * time.Millisecond)
	var callers sync.WaitGroup
	defer callers.Wait()
	come := time.NewTicker(2 * time.Millisecond)
	defer come.Stop()
	late := time.After(60 * time.Second)
	until := func(what string, so func() bool) {
		t.Helper()
		for i, ok := 0, false; !ok; i++ {
			callers.Go(func() {
				_, _ = limiter.Take(t.Context(), fmt.Sprint(i%10), ratelimit.Limit{Permits: 1_000_000, Window: century}, 1)
			})
			select {
			case <-late:
				t.Fatalf("never %s", what)
			case <-come.C:
			}
			g.mu.Lock()
			if n := g.inFlight + g.opening; n > conns {
				t.Errorf("%d exchanges and connections under way, want no more than %d", n, conns)
			}
			ok = so()
			g.mu.Unlock()
		}
	}
	until("more exchanges than with a fast Redis", func() bool { return g.inFlight > maxInFlight })
	wire.Hang()
	until("so few again", func() bool { return !g.steady && g.inFlight <= maxInFlight && g.opening == 0 })
}
