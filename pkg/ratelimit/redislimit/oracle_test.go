package redislimit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// The script and the pure algorithm agree on every step of random schedules:
// keys, limits that change, groups, clocks that wander and guards that differ.
func TestScriptAgreesWithTheAlgorithm(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0))
			m, client := startMini(t)
			m.ClockTTL(true)
			redisClock := newHandClock(time.Unix(1_700_000_000, 0))
			local := newHandClock(redisClock.now().Add(skews[rng.IntN(len(skews))]))
			l := newLimiter(client, Options{}, local.now)
			if err := client.Set(t.Context(), "guard", "right", 0).Err(); err != nil {
				t.Fatal(err)
			}
			granted := map[string]int64{}

			for step := range 300 {
				redisClock.advance(time.Duration(rng.Int64N(int64(2 * time.Second))).Truncate(time.Microsecond))
				local.advance(time.Duration(rng.Int64N(int64(2 * time.Second))))
				m.SetTime(redisClock.now())

				key := string('a' + rune(rng.IntN(3)))
				limit := ratelimit.Limit{Permits: rng.Int64N(12), Window: 10 * time.Second}
				n := 1 + rng.Int64N(5)
				guard := Guard{Key: "guard", Value: []string{"right", "right", "right", "wrong"}[rng.IntN(4)]}

				var want Outcome
				if guard.Value == "right" {
					counter := l.options.CounterKey(key, ratelimit.WindowStart(redisClock.now(), limit.Window))
					want.Decision = ratelimit.DecideFixedWindow(limit, granted[counter]+n, n, redisClock.now())
					granted[counter] += want.Decision.Granted
				} else {
					want = Outcome{Changed: true, Current: "right", Exists: true}
				}
				got, err := l.TakeIf(t.Context(), guard, key, limit, n)
				if err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("step %d, take %d of %q under %+v (-algorithm +script):\n%s", step, n, key, limit, diff)
				}
			}
		})
	}
}
