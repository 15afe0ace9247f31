package redislimit

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

var skews = []time.Duration{
	0,
	500 * time.Millisecond, -500 * time.Millisecond,
	time.Minute, -time.Minute,
	3 * time.Hour, -3 * time.Hour,
}

// A handClock is moved by the test.
type handClock struct{ at atomic.Pointer[time.Time] }

func newHandClock(at time.Time) *handClock {
	c := new(handClock)
	c.at.Store(&at)
	return c
}

func (c *handClock) now() time.Time { return *c.at.Load() }

func (c *handClock) advance(d time.Duration) { c.at.Store(new(c.now().Add(d))) }

// The window is Redis's, wherever the caller's clock stands, and after one reply
// the caller knows its name in advance.
func TestSkewedClockLearnsTheWindow(t *testing.T) {
	limit := ratelimit.Limit{Permits: 10, Window: time.Minute}
	boundary := time.Unix(1_700_000_040, 0)
	for _, into := range []time.Duration{0, time.Millisecond, 30 * time.Second, time.Minute - time.Microsecond} {
		for _, skew := range skews {
			t.Run(into.String()+" into the window, skew "+skew.String(), func(t *testing.T) {
				m, client := startMini(t)
				loadScripts(t, client)
				hook := new(sendHook)
				client.AddHook(hook)
				redisNow := boundary.Add(into)
				m.SetTime(redisNow)
				local := newHandClock(redisNow.Add(skew))
				l := New(client, Options{Now: local.now})

				wantSent := int64(1)
				if !ratelimit.WindowStart(local.now(), limit.Window).Equal(boundary) {
					wantSent = 2
				}
				d := mustTake(t, l, "k", limit, 1)
				if d.Remaining != 9 || d.Reset != time.Minute-into {
					t.Errorf("first decision %+v, want 9 left and reset in %v", d, time.Minute-into)
				}
				if got := hook.sent.Load(); got != wantSent {
					t.Errorf("the first take sent %d commands, want %d", got, wantSent)
				}

				hook.sent.Store(0)
				m.SetTime(redisNow.Add(time.Minute))
				local.advance(time.Minute)
				if d := mustTake(t, l, "k", limit, 1); d.Remaining != 9 {
					t.Errorf("in the next window %d are left, want 9", d.Remaining)
				}
				if got := hook.sent.Load(); got != 1 {
					t.Errorf("a take with a known offset sent %d commands, want 1", got)
				}
				for _, start := range []time.Time{boundary, boundary.Add(time.Minute)} {
					if got, err := m.Get(Options{}.CounterKey("k", start)); err != nil || got != "1" {
						t.Errorf("the counter of %v is %q, %v; want 1", start, got, err)
					}
				}
				if n := len(m.Keys()); n != 2 {
					t.Errorf("%d keys %q, want the two counters", n, m.Keys())
				}
			})
		}
	}
}

// A boundary that passes while the reply is on its way is reckoned with: the
// second name is that of the window in which the command will arrive.
func TestOffsetHoldsTheWayToRedis(t *testing.T) {
	limit := ratelimit.Limit{Permits: 10, Window: time.Minute}
	boundary := time.Unix(1_700_000_040, 0)
	m, client := startMini(t)
	loadScripts(t, client)
	redisClock, local := newHandClock(boundary.Add(-3*time.Millisecond)), newHandClock(boundary.Add(time.Hour))
	travel := func() {
		redisClock.advance(2 * time.Millisecond)
		local.advance(2 * time.Millisecond)
		m.SetTime(redisClock.now())
	}
	hook := &sendHook{before: travel, after: travel}
	l := New(client, Options{Now: local.now})
	client.AddHook(hook)

	if d := mustTake(t, l, "k", limit, 1); d.Reset != time.Minute-3*time.Millisecond {
		t.Errorf("decision %+v, want it 3ms into the new window", d)
	}
	if got := hook.sent.Load(); got != 2 {
		t.Errorf("%d commands were sent, want 2", got)
	}
}

func TestMissedWindowsEndInAnErrorAndWriteNothing(t *testing.T) {
	limit := ratelimit.Limit{Permits: 10, Window: time.Second}
	m, client := startMini(t)
	loadScripts(t, client)
	redisClock := newHandClock(time.Unix(1_700_000_040, 0))
	hook := &sendHook{before: func() {
		redisClock.advance(time.Minute) // and the caller's clock stands still
		m.SetTime(redisClock.now())
	}}
	client.AddHook(hook)
	l := New(client, Options{Now: newHandClock(redisClock.now()).now})

	d, err := l.Take(t.Context(), "k", limit, 1)
	if !errors.Is(err, ErrWindow) || d.Allowed() {
		t.Errorf("Take = %+v, %v; want ErrWindow", d, err)
	}
	if got := hook.sent.Load(); got != tries {
		t.Errorf("%d commands were sent, want %d", got, tries)
	}
	if keys := m.Keys(); len(keys) != 0 {
		t.Errorf("keys %q were written", keys)
	}
}

// Many callers with skewed clocks hammer one key over two boundaries. The whole
// window between them grants its limit, and none grants more.
func TestSkewedCallersShareEachWindow(t *testing.T) {
	limit := ratelimit.Limit{Permits: 25, Window: time.Second}
	overStores(t, func(t *testing.T, client *redis.Client) {
		redisNow, err := client.Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		first := ratelimit.WindowStart(redisNow, limit.Window)
		deadline := time.Now().Add(first.Add(2*limit.Window + 20*time.Millisecond).Sub(redisNow))

		var granted atomic.Int64
		var wg sync.WaitGroup
		for _, skew := range skews {
			l := New(client, Options{Now: func() time.Time { return time.Now().Add(skew) }})
			wg.Go(func() {
				for time.Now().Before(deadline) {
					d, err := l.Take(t.Context(), "k", limit, 1)
					if err != nil {
						t.Errorf("skew %v: %v", skew, err)
						return
					}
					granted.Add(d.Granted)
				}
			})
		}
		wg.Wait()

		counters := counters(t, client, "k")
		var sum int64
		for start, count := range counters {
			sum += count
			if count > limit.Permits {
				t.Errorf("the window at %d granted %d, more than %d", start, count, limit.Permits)
			}
		}
		if whole := first.Add(limit.Window).Unix(); counters[whole] != limit.Permits {
			t.Errorf("the whole window granted %d, want %d", counters[whole], limit.Permits)
		}
		if got := granted.Load(); got != sum {
			t.Errorf("callers were granted %d permits, the counters hold %d", got, sum)
		}
	})
}

// With the other algorithms too, whatever the callers' clocks say and however often
// Redis forgets the script, its own clock paces what is granted.
func TestSkewedCallersShareEveryAlgorithm(t *testing.T) {
	paced := []ratelimit.Limit{
		{Algorithm: ratelimit.SlidingWindow, Permits: 25, Window: time.Second},
		{Algorithm: ratelimit.TokenBucket, Permits: 25, Window: time.Second, Burst: 10},
		{Algorithm: ratelimit.LeakyBucket, Permits: 25, Window: time.Second, MaxDelay: 100 * time.Millisecond},
	}
	overStores(t, func(t *testing.T, client *redis.Client) {
		var granted [3][]int64 // Redis's times of use, in Unix microseconds
		var mu sync.Mutex
		var wg sync.WaitGroup
		deadline := time.Now().Add(2200 * time.Millisecond)
		for i, limit := range paced {
			for _, skew := range []time.Duration{500 * time.Millisecond, -500 * time.Millisecond} {
				l := New(client, Options{Now: func() time.Time { return time.Now().Add(skew) }})
				wg.Go(func() {
					for n := 0; time.Now().Before(deadline); n++ {
						if n%100 == 0 {
							client.ScriptFlush(t.Context())
						}
						c := &call{question: question{key: "k", limit: limit}, n: 2}
						if err := l.alone(t.Context(), c); err != nil {
							t.Errorf("%s, skew %v: %v", limit.Algorithm, skew, err)
							return
						}
						a := c.reply
						mu.Lock()
						for p := range a.decision.Granted {
							granted[i] = append(granted[i], a.now+a.decision.Nth(p).Delay.Microseconds())
						}
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		for i, limit := range paced {
			times := slices.Sorted(slices.Values(granted[i]))
			burst := max(limit.Burst, 1) // a queue's is the one that a span begins with
			if limit.Algorithm == ratelimit.SlidingWindow {
				burst = 2 * limit.Permits
			}
			for first := range times {
				for last := first; last < len(times); last++ {
					flowed := (times[last] - times[first]) * limit.Permits / limit.Window.Microseconds()
					if n := int64(last - first + 1); n > burst+flowed {
						t.Fatalf("%s: %d permits within %d µs", limit.Algorithm, n, times[last]-times[first])
					}
				}
			}
			if n := int64(len(times)); n < 2*limit.Permits-1 {
				t.Errorf("%s: %d permits in two windows, want %d", limit.Algorithm, n, 2*limit.Permits)
			}
		}
	})
}

// counters returns key's counters by the start of their windows.
func counters(t *testing.T, client *redis.Client, key string) map[int64]int64 {
	t.Helper()
	prefix := DefaultPrefix + key + ":"
	names, err := client.Keys(t.Context(), prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[int64]int64, len(names))
	for _, name := range names {
		start, err := strconv.ParseInt(strings.TrimPrefix(name, prefix), 10, 64)
		if err != nil {
			t.Fatalf("counter %q: %v", name, err)
		}
		if counts[start], err = client.Get(t.Context(), name).Int64(); err != nil {
			t.Fatalf("counter %q: %v", name, err)
		}
	}
	return counts
}
