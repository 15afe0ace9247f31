package redislimit

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// A client that is alone on a key and comes back when Retry-After says is let in,
// also when its refusal came from memory, or Redis answers late.
func TestAnObedientClientIsLetIn(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0))
			limit := randomLimit(rng, 10*time.Second)
			limit.Permits = max(limit.Permits, 1)
			m, client := startMini(t)
			at := newHandClock(time.Unix(1_700_000_000, rng.Int64N(1e9)).Truncate(time.Microsecond))
			l := New(client, Options{Spent: 100, Now: at.now})
			m.SetTime(at.now())
			pass := func(d time.Duration) {
				at.advance(d)
				m.SetTime(at.now())
			}
			some := func(most time.Duration) time.Duration {
				return time.Duration(rng.Int64N(int64(most))).Truncate(time.Microsecond)
			}
			travel := func() { pass(some(80 * time.Millisecond)) }
			client.AddHook(&sendHook{before: travel, after: travel})
			for step := range 300 {
				if d := mustTake(t, l, "k", limit, 1); d.Allowed() {
					pass(d.Delay + some(200*time.Millisecond))
					continue
				}
				pass(some(200 * time.Millisecond))
				d := mustTake(t, l, "k", limit, 1) // likely from memory
				if d.Allowed() {
					continue
				}
				h := http.Header{}
				d.SetHeader(h)
				seconds, err := strconv.ParseInt(h.Get("Retry-After"), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				pass(time.Duration(seconds) * time.Second)
				if again := mustTake(t, l, "k", limit, 1); !again.Allowed() {
					t.Fatalf("step %d, %+v: told %+v, waited %d s, and then %+v", step, limit, d, seconds, again)
				}
			}
		})
	}
}
