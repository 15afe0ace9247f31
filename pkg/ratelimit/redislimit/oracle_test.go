package redislimit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// A twin predicts what the scripts do: it holds the states that they should keep.
type twin map[string]ratelimit.State

func (m twin) decide(o Options, key string, limit ratelimit.Limit, n int64, now time.Time) ratelimit.Decision {
	name := o.StateKey(key, limit.Algorithm)
	if name == "" {
		name = o.CounterKey(key, ratelimit.WindowStart(now, limit.Window))
	}
	state, d := limit.Decide(m[name], n, now)
	m[name] = state
	return d
}

// randomLimit changes everything about a key's limit from one call to the next,
// but for the length of windows that are counted in.
func randomLimit(rng *rand.Rand, window time.Duration) ratelimit.Limit {
	limit := ratelimit.Limit{Permits: rng.Int64N(12), Window: window}
	switch rng.IntN(4) {
	case 0:
	case 1:
		limit.Algorithm = ratelimit.SlidingWindow
	case 2:
		limit.Algorithm = ratelimit.TokenBucket
		limit.Window = time.Duration(1+rng.Int64N(20)) * time.Second
		limit.Burst = rng.Int64N(15)
	case 3:
		limit.Algorithm = ratelimit.LeakyBucket
		limit.Window = time.Duration(1+rng.Int64N(20)) * time.Second
		limit.MaxDelay = time.Duration(rng.Int64N(int64(5 * time.Second)))
	}
	return limit
}

// Each script and its algorithm agree on every step of random schedules: keys,
// limits that change, groups, clocks that wander and guards that differ.
func TestScriptsAgreeWithTheAlgorithms(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0))
			m, client := startMini(t)
			m.ClockTTL(true)
			redisClock := newHandClock(time.Unix(1_700_000_000, 0))
			local := newHandClock(redisClock.now().Add(skews[rng.IntN(len(skews))]))
			l := New(client, Options{Now: local.now})
			if err := client.Set(t.Context(), "guard", "right", 0).Err(); err != nil {
				t.Fatal(err)
			}
			states := twin{}

			for step := range 600 {
				redisClock.advance(time.Duration(rng.Int64N(int64(2 * time.Second))).Truncate(time.Microsecond))
				local.advance(time.Duration(rng.Int64N(int64(2 * time.Second))))
				m.SetTime(redisClock.now())

				key := string('a' + rune(rng.IntN(3)))
				limit := randomLimit(rng, 10*time.Second)
				n := 1 + rng.Int64N(5)
				guard := Guard{Key: "guard", Value: []string{"right", "right", "right", "wrong"}[rng.IntN(4)]}

				want := Outcome{Changed: true, Current: "right", Exists: true}
				if guard.Value == "right" {
					want = Outcome{Decision: states.decide(l.options, key, limit, n, redisClock.now())}
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

// Also when Redis's clock is set back over the boundary of a window.
func TestScriptsAgreeWhenTheClockGoesBack(t *testing.T) {
	boundary := time.Unix(1_700_000_040, 0)
	for algorithm, limit := range limits {
		m, client := startMini(t)
		l := New(client, Options{})
		states := twin{}
		for _, at := range []time.Duration{-2, 1, -1, 0, 3, -3} {
			now := boundary.Add(at * time.Second)
			m.SetTime(now)
			want := states.decide(l.options, "k", limit, 2, now)
			if got := mustTake(t, l, "k", limit, 2); got != want {
				t.Errorf("%s, %d s from the boundary: %+v, want %+v", algorithm, int64(at), got, want)
			}
		}
	}
}

// The same at the pace of a real Redis, whose own clock every reply tells.
func TestScriptsAgreeWithTheAlgorithmsInRealTime(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	l := New(client, Options{})
	states := twin{}
	for step := range 4000 {
		limit := randomLimit(rng, time.Second)
		limit.Permits *= rng.Int64N(300)
		c := &call{question: question{key: string('a' + rune(rng.IntN(3))), limit: limit}, n: 1 + rng.Int64N(40)}
		err := l.alone(t.Context(), c)
		if err != nil {
			t.Fatalf("seed %d, step %d, take %d under %+v: %v", seed, step, c.n, limit, err)
		}
		want := states.decide(l.options, c.key, limit, c.n, time.UnixMicro(c.reply.now))
		if diff := cmp.Diff(want, c.reply.decision); diff != "" {
			t.Fatalf("seed %d, step %d, take %d of %q under %+v (-algorithm +script):\n%s", seed, step, c.n, c.key, limit, diff)
		}
	}
}

// Numbers as large as a limit may name do not lose a digit on their way.
func TestScriptsCountExactlyAtTheBounds(t *testing.T) {
	const days = 24 * time.Hour
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		for _, limit := range []ratelimit.Limit{
			{Permits: ratelimit.MaxPermits, Window: century},
			{Algorithm: ratelimit.SlidingWindow, Permits: 2_856, Window: 36_500 * days},
			{Algorithm: ratelimit.SlidingWindow, Permits: 9_007_199_254_740, Window: time.Second},
			{Algorithm: ratelimit.TokenBucket, Permits: 1_000_000, Window: time.Second, Burst: ratelimit.MaxPermits},
			{Algorithm: ratelimit.TokenBucket, Permits: 999_983, Window: 36_400 * days},
			{Algorithm: ratelimit.LeakyBucket, Permits: 1, Window: 36_500 * days, MaxDelay: 24 * time.Hour},
			{Algorithm: ratelimit.LeakyBucket, Permits: 1_000_000, Window: time.Second, MaxDelay: 24 * time.Hour},
		} {
			states := twin{}
			key := fmt.Sprintf("%+v", limit)
			for _, n := range []int64{1, limit.Permits - 1, limit.Permits, limit.Permits / 3, ratelimit.MaxPermits} {
				c := &call{question: question{key: key, limit: limit}, n: max(n, 1)}
				err := l.alone(t.Context(), c)
				if err != nil {
					t.Fatalf("take %d under %+v: %v", c.n, limit, err)
				}
				want := states.decide(l.options, key, limit, c.n, time.UnixMicro(c.reply.now))
				if diff := cmp.Diff(want, c.reply.decision); diff != "" {
					t.Errorf("take %d under %+v (-algorithm +script):\n%s", c.n, limit, diff)
				}
			}
		}
	})
}
