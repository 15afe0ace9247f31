package ratelimit

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"
)

// aClock is moved by the test.
type aClock struct{ at time.Time }

func newClock() *aClock { return &aClock{time.Unix(1_700_000_018, 0)} } // 38 s into a minute

func (c *aClock) now() time.Time          { return c.at }
func (c *aClock) advance(d time.Duration) { c.at = c.at.Add(d) }

func mustTake(t *testing.T, l Limiter, key string, limit Limit, n int64) Decision {
	t.Helper()
	d, err := l.Take(t.Context(), key, limit, n)
	if err != nil {
		t.Fatalf("Take(%q, %+v, %d): %v", key, limit, n, err)
	}
	return d
}

func TestLocalIsBounded(t *testing.T) {
	clock := newClock()
	l := NewLocal(LocalOptions{MaxKeys: 160, Now: clock.now})
	limit := Limit{Permits: 1, Window: time.Minute}
	for i := range 10_000 {
		if d := mustTake(t, l, strconv.Itoa(i), limit, 1); !d.Allowed() {
			t.Fatalf("a new key got %+v", d)
		}
	}
	if n := l.keys.Len(); n > 160 || n < 100 {
		t.Errorf("%d keys are held, want about 160 and no more", n)
	}
}

// While there are keys that mean nothing any more, no other is forgotten.
func TestLocalDropsWhatIsOverFirst(t *testing.T) {
	clock := newClock()
	l := NewLocal(LocalOptions{MaxKeys: 128, Now: clock.now})
	short, long := Limit{Permits: 1, Window: time.Second}, Limit{Permits: 1, Window: time.Hour}
	for i := range 10_000 {
		mustTake(t, l, "short"+strconv.Itoa(i), short, 1)
	}
	clock.advance(2 * time.Second)
	kept := []string{"a", "b", "c"}
	for _, key := range kept {
		mustTake(t, l, key, long, 1)
	}
	for i := range 10_000 {
		clock.advance(2 * time.Second / 10_000) // so that those before are over by and by
		mustTake(t, l, "more"+strconv.Itoa(i), Limit{Algorithm: TokenBucket, Permits: 1_000_000, Window: time.Second}, 1)
	}
	for _, key := range kept {
		if d := mustTake(t, l, key, long, 1); d.Allowed() {
			t.Errorf("%q was forgotten while others were over", key)
		}
	}
}

func TestLocalTakesWithoutAllocating(t *testing.T) {
	l := NewLocal(LocalOptions{})
	ctx := context.Background()
	for _, limit := range everyAlgorithm(1000, time.Minute) {
		key := string(limit.Algorithm)
		mustTake(t, l, key, limit, 1)
		if n := testing.AllocsPerRun(100, func() { _, _ = l.Take(ctx, key, limit, 1) }); n != 0 {
			t.Errorf("%s: %v allocations a take", limit.Algorithm, n)
		}
	}
}

// A step of the wall clock moves no window.
func TestLocalRunsOnTheMonotonicClock(t *testing.T) {
	start := time.Now() // with a monotonic reading, from which Sub reckons
	at := start
	l := NewLocal(LocalOptions{Now: func() time.Time { return at }})
	limit := Limit{Algorithm: TokenBucket, Permits: 1, Window: time.Minute}
	mustTake(t, l, "k", limit, 1)
	at = start.Add(30 * time.Second)
	if d := mustTake(t, l, "k", limit, 1); d.RetryAfter != 30*time.Second {
		t.Errorf("half a minute later: %+v", d)
	}
}

func TestLocalCountsRefusals(t *testing.T) {
	for _, limit := range everyAlgorithm(2, time.Minute) {
		clock := newClock()
		l := NewLocal(LocalOptions{Now: clock.now})
		refused := func() int64 {
			u, err := l.Usage(t.Context(), "k", limit)
			if err != nil {
				t.Fatal(err)
			}
			return u.Refused
		}
		most := mustTake(t, l, "k", limit, MaxPermits)
		mustTake(t, l, "k", limit, 3)
		if got, want := refused(), MaxPermits-most.Granted+3; got != want {
			t.Errorf("%s: %d refused, want %d", limit.Algorithm, got, want)
		}
		clock.advance(time.Minute)
		if got := refused(); got != 0 {
			t.Errorf("%s: a window later %d refused", limit.Algorithm, got)
		}
		mustTake(t, l, "k", limit, 1)
		if err := l.Reset(t.Context(), "k", limit); err != nil {
			t.Fatal(err)
		}
		if u, _ := l.Usage(t.Context(), "k", limit); u.Used != 0 || u.Refused != 0 {
			t.Errorf("%s: after a reset %+v", limit.Algorithm, u)
		}
	}
}

func TestLocalRefusesBadArguments(t *testing.T) {
	l := NewLocal(LocalOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good := Limit{Permits: 1, Window: time.Minute}
	_, takeErr := l.Take(t.Context(), "k", Limit{}, 1)
	_, usageErr := l.Usage(t.Context(), "k", Limit{})
	_, goneErr := l.Usage(ctx, "k", good)
	for _, tt := range []struct{ got, want error }{
		{takeErr, ErrLimit},
		{usageErr, ErrLimit},
		{l.Reset(t.Context(), "k", Limit{}), ErrLimit},
		{l.Reset(ctx, "k", good), context.Canceled},
		{goneErr, context.Canceled},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("error %v, want %v", tt.got, tt.want)
		}
	}
	if l.keys.Len() != 0 {
		t.Errorf("%d keys are held", l.keys.Len())
	}
}

func BenchmarkLocalTake(b *testing.B) {
	for _, limit := range everyAlgorithm(1_000_000, 1000*time.Hour) {
		b.Run(string(limit.Algorithm), func(b *testing.B) {
			l, ctx := NewLocal(LocalOptions{}), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_, _ = l.Take(ctx, "key", limit, 1)
			}
		})
	}
}

func TestLocalUnderManyCallers(t *testing.T) {
	l := NewLocal(LocalOptions{MaxKeys: 32})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				if _, err := l.Take(t.Context(), strconv.Itoa(i%100), Limit{Permits: 1, Window: time.Hour}, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
