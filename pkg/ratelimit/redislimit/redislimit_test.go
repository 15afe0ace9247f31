package redislimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func TestConcurrentTakesAreExact(t *testing.T) {
	const permits = 40
	limit := ratelimit.Limit{Permits: permits, Window: century}
	guard := Guard{Key: "record", Value: "as seen"}
	takes := map[string]func(context.Context, *Limiter) (ratelimit.Decision, error){
		"Take": func(ctx context.Context, l *Limiter) (ratelimit.Decision, error) {
			return l.Take(ctx, "Take", limit, 1)
		},
		"TakeIf": func(ctx context.Context, l *Limiter) (ratelimit.Decision, error) {
			o, err := l.TakeIf(ctx, guard, "TakeIf", limit, 1)
			return o.Decision, err
		},
	}
	overStores(t, func(t *testing.T, client *redis.Client) {
		if err := client.Set(t.Context(), guard.Key, guard.Value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		for name, take := range takes {
			limiters := []*Limiter{New(client, Options{}), New(client, Options{})}
			var granted atomic.Int64
			var wg sync.WaitGroup
			for i := range 3 * permits {
				wg.Go(func() {
					d, err := take(t.Context(), limiters[i%len(limiters)])
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					granted.Add(d.Granted)
				})
			}
			wg.Wait()
			if got := granted.Load(); got != permits {
				t.Errorf("%s granted %d of %d takes, want %d", name, got, 3*permits, permits)
			}
			wantCounter(t, client, name, permits)
		}
	})
}

func TestTakeDecides(t *testing.T) {
	limit := ratelimit.Limit{Permits: 10, Window: century}
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		steps := []struct{ n, granted, remaining, counter int64 }{
			{1, 1, 9, 1},
			{6, 6, 3, 7},
			{5, 3, 0, 10},
			{1, 0, 0, 10},
			{ratelimit.MaxPermits, 0, 0, 10},
		}
		for i, s := range steps {
			d := mustTake(t, l, "k", limit, s.n)
			if d.Granted != s.granted || d.Remaining != s.remaining || d.Limit != limit {
				t.Errorf("step %d: take %d = %+v, want %d granted and %d left", i, s.n, d, s.granted, s.remaining)
			}
			wantCounter(t, client, "k", s.counter)
		}
	})
}

func TestTakeOfSeveralEqualsSeveralTakes(t *testing.T) {
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		for permits := range int64(8) {
			limit := ratelimit.Limit{Permits: permits, Window: century}
			together := "together" + string('0'+rune(permits))
			apart := "apart" + string('0'+rune(permits))
			for _, n := range []int64{2, 1, 3, 4} {
				var sum int64
				for range n {
					sum += mustTake(t, l, apart, limit, 1).Granted
				}
				if got := mustTake(t, l, together, limit, n).Granted; got != sum {
					t.Errorf("limit %d: take %d granted %d, one by one %d", permits, n, got, sum)
				}
			}
		}
	})
}

// What was refused does not count against a limit that is raised later.
func TestRaisedLimitOpensAtOnce(t *testing.T) {
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		low := ratelimit.Limit{Permits: 2, Window: century}
		for range 20 {
			mustTake(t, l, "k", low, 1)
		}
		high := ratelimit.Limit{Permits: 5, Window: century}
		if d := mustTake(t, l, "k", high, 5); d.Granted != 3 {
			t.Errorf("after the limit rose from 2 to 5 another %d were granted, want 3", d.Granted)
		}
		if d := mustTake(t, l, "k", low, 1); d.Allowed() {
			t.Error("a permit was granted after the limit fell below what was taken")
		}
		wantCounter(t, client, "k", 5)
	})
}

func TestTakeRefusesBadArgumentsUnsent(t *testing.T) {
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		good := ratelimit.Limit{Permits: 1, Window: century}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		tests := []struct {
			name  string
			ctx   context.Context
			limit ratelimit.Limit
			n     int64
			want  error
		}{
			{"no window", t.Context(), ratelimit.Limit{Permits: 1}, 1, ratelimit.ErrLimit},
			{"another algorithm", t.Context(), ratelimit.Limit{Algorithm: "x", Permits: 1, Window: century}, 1, ratelimit.ErrLimit},
			{"none", t.Context(), good, 0, ratelimit.ErrPermits},
			{"negative", t.Context(), good, -1, ratelimit.ErrPermits},
			{"too many", t.Context(), good, ratelimit.MaxPermits + 1, ratelimit.ErrPermits},
			{"context ended", cancelled, good, 1, context.Canceled},
		}
		for _, tt := range tests {
			if d, err := l.Take(tt.ctx, "k", tt.limit, tt.n); !errors.Is(err, tt.want) || d != (ratelimit.Decision{}) {
				t.Errorf("%s: Take = %+v, %v; want %v", tt.name, d, err, tt.want)
			}
		}
		wantNoKeys(t, client, "*")
	})
}

func TestTakeIfComparesTheGuard(t *testing.T) {
	limit := ratelimit.Limit{Permits: 3, Window: century}
	tests := []struct {
		name    string
		stored  *string
		value   string
		changed bool
	}{
		{"same", new("record"), "record", false},
		{"same, binary", new("\x00\xff\r\n"), "\x00\xff\r\n", false},
		{"same, empty", new(""), "", false},
		{"another", new("new"), "old", true},
		{"now empty", new(""), "old", true},
		{"one byte more", new("record "), "record", true},
		{"number written otherwise", new("1.0"), "1", true},
		{"gone", nil, "old", true},
		{"gone, empty expected", nil, "", true},
	}
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		for _, tt := range tests {
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			want := Outcome{Changed: tt.changed, Exists: tt.changed && tt.stored != nil}
			if tt.stored != nil {
				if err := client.Set(t.Context(), "guard", *tt.stored, 0).Err(); err != nil {
					t.Fatal(err)
				}
				if tt.changed {
					want.Current = *tt.stored
				}
			}
			guard := Guard{Key: "guard", Value: tt.value}
			if held, err := l.Holds(t.Context(), guard, "k", limit); err != nil || held != want {
				t.Errorf("%s: Holds = %+v, %v; want %+v", tt.name, held, err, want)
			}
			wantNoKeys(t, client, "rate_*")
			got, err := l.TakeIf(t.Context(), guard, "k", limit, 2)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			decision := got.Decision
			got.Decision = ratelimit.Decision{}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			if tt.changed {
				if decision != (ratelimit.Decision{}) {
					t.Errorf("%s: decision %+v beside a changed guard", tt.name, decision)
				}
				wantNoKeys(t, client, DefaultPrefix+"*")
				continue
			}
			if decision.Granted != 2 || decision.Remaining != 1 {
				t.Errorf("%s: decision %+v, want 2 granted and 1 left", tt.name, decision)
			}
			wantCounter(t, client, "k", 2)
		}
	})
}

func TestFlushedScriptFailsNothing(t *testing.T) {
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		for algorithm, limit := range limits {
			limit.Window *= 1000 // so that nothing flows back meanwhile
			limit.MaxDelay *= 1000
			most := limit.Usage(ratelimit.State{}, time.Now()).Remaining
			for want := most - 1; want >= 0; want-- {
				if err := client.ScriptFlush(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				if d := mustTake(t, l, "k", limit, 1); d.Remaining != want {
					t.Errorf("%s: after SCRIPT FLUSH %d are left, want %d", algorithm, d.Remaining, want)
				}
			}
		}
	})
}

// A state says nothing any more once everything is there again, and it does not
// stay longer than that; refusals are counted for one window.
func TestStateVanishesWithItsMeaning(t *testing.T) {
	now := time.Unix(1_700_000_058, 0) // 18 s into a minute
	for algorithm, limit := range limits {
		if algorithm == ratelimit.FixedWindow {
			continue // see TestCounterOutlivesItsWindow
		}
		m, client := startMini(t)
		m.SetTime(now)
		l := New(client, Options{Now: newHandClock(now).now})
		d := mustTake(t, l, "k", limit, 1)
		want := d.Reset
		if algorithm == ratelimit.SlidingWindow {
			want += 5 * time.Second
		}
		if got := m.TTL(Options{}.StateKey("k", algorithm)); got != want {
			t.Errorf("%s: the state lives for %v, want %v", algorithm, got, want)
		}
		mustTake(t, l, "k", limit, ratelimit.MaxPermits)
		if got := m.TTL(Options{}.RefusedKey("k", time.Time{})); got != limit.Window {
			t.Errorf("%s: refusals are counted for %v, want %v", algorithm, got, limit.Window)
		}
		if n := len(m.Keys()); n != 2 {
			t.Errorf("%s: keys %q, want state and refusals", algorithm, m.Keys())
		}
		m.ClockTTL(true)
		m.SetTime(now.Add(3 * limit.Window))
		if n := len(m.Keys()); n != 0 {
			t.Errorf("%s: three windows later there are %q", algorithm, m.Keys())
		}
	}
}

// What is not a state of the algorithm is an error and stays as it is.
func TestForeignStateIsAnError(t *testing.T) {
	set := func(value string) func(*redis.Client, string) error {
		return func(c *redis.Client, key string) error { return c.Set(context.Background(), key, value, 0).Err() }
	}
	hash := func(fields ...any) func(*redis.Client, string) error {
		return func(c *redis.Client, key string) error { return c.HSet(context.Background(), key, fields...).Err() }
	}
	list := func(c *redis.Client, key string) error { return c.RPush(context.Background(), key, "x").Err() }
	const notInteger = "ERR value is not an integer"
	tests := []struct {
		algorithm ratelimit.Algorithm
		put       func(*redis.Client, string) error
		want      string
	}{
		{ratelimit.SlidingWindow, list, "WRONGTYPE"},
		{ratelimit.SlidingWindow, set("1"), "WRONGTYPE"},
		{ratelimit.SlidingWindow, hash("window", "1200", "current", "1"), notInteger},
		{ratelimit.SlidingWindow, hash("previous", "1"), notInteger},
		{ratelimit.SlidingWindow, hash("window", "1200", "current", "-1", "previous", "0"), notInteger},
		{ratelimit.SlidingWindow, hash("window", "1200", "current", "many", "previous", "0"), notInteger},
		{ratelimit.TokenBucket, list, "WRONGTYPE"},
		{ratelimit.TokenBucket, set(""), notInteger},
		{ratelimit.TokenBucket, set("-1"), notInteger},
		{ratelimit.TokenBucket, set("1.5"), notInteger},
		{ratelimit.TokenBucket, set("1e9"), notInteger},
		{ratelimit.TokenBucket, set("9007199254740992"), notInteger},
		{ratelimit.LeakyBucket, list, "WRONGTYPE"},
		{ratelimit.LeakyBucket, set("soon"), notInteger},
	}
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		for i, tt := range tests {
			key := fmt.Sprint("k", i)
			name := Options{}.StateKey(key, tt.algorithm)
			if err := tt.put(client, name); err != nil {
				t.Fatal(err)
			}
			before := client.Dump(t.Context(), name).Val()
			d, err := l.Take(t.Context(), key, limits[tt.algorithm], 1)
			wantRedisError(t, err)
			if err == nil || !strings.Contains(err.Error(), tt.want) || d.Allowed() {
				t.Errorf("%d, %s: Take = %+v, %v; want %s", i, tt.algorithm, d, err, tt.want)
			}
			if after := client.Dump(t.Context(), name).Val(); after != before {
				t.Errorf("%d, %s: the foreign value was changed", i, tt.algorithm)
			}
		}
	})
}

func TestGuardHoldsForEveryAlgorithm(t *testing.T) {
	overStores(t, func(t *testing.T, client *redis.Client) {
		if err := client.Set(t.Context(), "guard", "new", 0).Err(); err != nil {
			t.Fatal(err)
		}
		l := New(client, Options{})
		for algorithm, limit := range limits {
			for value, changed := range map[string]bool{"old": true, "new": false} {
				o, err := l.TakeIf(t.Context(), Guard{Key: "guard", Value: value}, "k", limit, 1)
				if err != nil || o.Changed != changed || o.Decision.Allowed() == changed {
					t.Errorf("%s, %q expected: %+v, %v", algorithm, value, o, err)
				}
			}
		}
	})
}

func TestCounterOutlivesItsWindow(t *testing.T) {
	limit := ratelimit.Limit{Permits: 1, Window: century}
	want := century + 5*time.Second // since the epoch, as the window's start
	const slack = time.Minute       // miniredis keeps what is left of a life, not its end
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		for _, what := range []string{"created", "refused", "refused again"} {
			mustTake(t, l, "k", limit, 1)
			if what != "created" {
				got, err := client.PExpireTime(t.Context(), Options{}.RefusedKey("k", centuryStart)).Result()
				if err != nil || got < want || got > want+slack {
					t.Errorf("%s: the count of refusals expires at %v, %v; want %v", what, got, err, want)
				}
			}
			got, err := client.PExpireTime(t.Context(), Options{}.CounterKey("k", centuryStart)).Result()
			if err != nil || got < want || got > want+slack {
				t.Errorf("%s: expires at %v, %v; want %v", what, got, err, want)
			}
		}
	})
}

func TestKeyOfAnotherTypeIsAnError(t *testing.T) {
	limit := ratelimit.Limit{Permits: 1, Window: century}
	overStores(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		l := New(client, Options{})
		counter := Options{}.CounterKey("k", centuryStart)
		if err := errors.Join(
			client.RPush(ctx, counter, "x").Err(),
			client.HSet(ctx, "hash", "field", "x").Err(),
			client.Set(ctx, Options{}.CounterKey("text", centuryStart), "many", 0).Err(),
		); err != nil {
			t.Fatal(err)
		}

		_, err := l.Take(ctx, "k", limit, 1)
		wantRedisError(t, err)
		if err != nil && !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("a list as the counter: %v, want WRONGTYPE", err)
		}
		_, err = l.TakeIf(ctx, Guard{Key: "hash", Value: "x"}, "free", limit, 1)
		wantRedisError(t, err)
		if err != nil && !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("a hash as the guard: %v, want WRONGTYPE", err)
		}
		wantNoKeys(t, client, DefaultPrefix+"free*")
		_, err = l.Take(ctx, "text", limit, 1)
		wantRedisError(t, err)
	})
}

// A counter that someone set below zero would grant more than the limit.
func TestNegativeCounterGrantsNothing(t *testing.T) {
	limit := ratelimit.Limit{Permits: 1, Window: century}
	overStores(t, func(t *testing.T, client *redis.Client) {
		if err := client.Set(t.Context(), Options{}.CounterKey("k", centuryStart), -5, 0).Err(); err != nil {
			t.Fatal(err)
		}
		d, err := New(client, Options{}).Take(t.Context(), "k", limit, 1)
		if !errors.Is(err, ErrReply) || d.Allowed() {
			t.Errorf("Take = %+v, %v; want ErrReply", d, err)
		}
	})
}

func TestOptionsNameTheCounters(t *testing.T) {
	start := time.Unix(1_700_000_040, 0)
	tests := []struct {
		options          Options
		key              string
		counter, refused string
	}{
		{Options{}, "abc", "rate_count:abc:1700000040", "rate_refused:abc:1700000040"},
		{Options{HashTag: true}, "abc", "rate_count:{abc}:1700000040", "rate_refused:{abc}:1700000040"},
		{Options{Prefix: "p/"}, "a:b", "p/a:b:1700000040", "rate_refused:p/a:b:1700000040"},
		{Options{}, "", "rate_count::1700000040", "rate_refused::1700000040"},
	}
	states := []struct {
		options   Options
		algorithm ratelimit.Algorithm
		want      string
	}{
		{Options{}, ratelimit.FixedWindow, ""},
		{Options{}, "", ""},
		{Options{}, ratelimit.SlidingWindow, "rate_sliding:abc"},
		{Options{}, ratelimit.TokenBucket, "rate_bucket:abc"},
		{Options{}, ratelimit.LeakyBucket, "rate_queue:abc"},
		{Options{HashTag: true}, ratelimit.TokenBucket, "rate_bucket:{abc}"},
		{Options{Prefix: "p/"}, ratelimit.LeakyBucket, "rate_queue:p/abc"},
	}
	for _, tt := range states {
		if got := tt.options.StateKey("abc", tt.algorithm); got != tt.want {
			t.Errorf("%+v.StateKey(%s) = %q, want %q", tt.options, tt.algorithm, got, tt.want)
		}
	}
	if got := (Options{HashTag: true}).RefusedKey("abc", time.Time{}); got != "rate_refused:{abc}" {
		t.Errorf("refusals without windows are counted at %q", got)
	}
	for _, tt := range tests {
		if got := tt.options.CounterKey(tt.key, start); got != tt.counter {
			t.Errorf("%+v.CounterKey(%q) = %q, want %q", tt.options, tt.key, got, tt.counter)
		}
		if got := tt.options.RefusedKey(tt.key, start); got != tt.refused {
			t.Errorf("%+v.RefusedKey(%q) = %q, want %q", tt.options, tt.key, got, tt.refused)
		}
	}
}
