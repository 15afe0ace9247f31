package redislimit

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func mustUse(t *testing.T, l *Limiter, key string, limit ratelimit.Limit) ratelimit.Usage {
	t.Helper()
	u, err := l.Usage(t.Context(), key, limit)
	if err != nil {
		t.Fatalf("Usage(%q, %+v): %v", key, limit, err)
	}
	if u.Limit != limit || u.Reset <= 0 || u.Reset > limit.Window {
		t.Errorf("Usage(%q, %+v) = %+v", key, limit, u)
	}
	return u
}

func wantUsage(t *testing.T, l *Limiter, limit ratelimit.Limit, used, remaining, refused int64) {
	t.Helper()
	if u := mustUse(t, l, "k", limit); u.Used != used || u.Remaining != remaining || u.Refused != refused {
		t.Errorf("usage %+v, want %d used, %d left, %d refused", u, used, remaining, refused)
	}
}

func TestUsageLooksAndTakesNothing(t *testing.T) {
	limit := ratelimit.Limit{Permits: 10, Window: century}
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		wantUsage(t, l, limit, 0, 10, 0)
		wantNoKeys(t, client, "*")

		mustTake(t, l, "k", limit, 7)
		wantUsage(t, l, limit, 7, 3, 0)
		mustTake(t, l, "k", limit, 5)
		mustTake(t, l, "k", limit, 2)
		wantUsage(t, l, limit, 10, 0, 4)
		wantUsage(t, l, limit, 10, 0, 4)

		wantUsage(t, l, ratelimit.Limit{Permits: 4, Window: century}, 10, 0, 4)
		wantUsage(t, l, ratelimit.Limit{Permits: 12, Window: century}, 10, 2, 4)
		wantCounter(t, client, "k", 10)
	})
}

func TestResetForgetsTheWindow(t *testing.T) {
	limit := ratelimit.Limit{Permits: 2, Window: century}
	overStores(t, func(t *testing.T, client *redis.Client) {
		l := New(client, Options{})
		mustTake(t, l, "k", limit, 5)
		mustTake(t, l, "other", limit, 1)
		for range 2 { // again does nothing
			if err := l.Reset(t.Context(), "k", limit); err != nil {
				t.Fatal(err)
			}
			wantUsage(t, l, limit, 0, 2, 0)
		}
		if d := mustTake(t, l, "k", limit, 3); d.Granted != 2 {
			t.Errorf("after a reset %d of 3 were granted, want 2", d.Granted)
		}
		wantCounter(t, client, "other", 1)
	})
}

// Looking and forgetting find Redis's window as taking does.
func TestUsageAndResetWithSkewedClocks(t *testing.T) {
	limit := ratelimit.Limit{Permits: 5, Window: time.Minute}
	for _, skew := range skews {
		m, client := startMini(t)
		redisNow := time.Unix(1_700_000_058, 0)
		m.SetTime(redisNow)
		skewed := func() *Limiter { return New(client, Options{Now: newHandClock(redisNow.Add(skew)).now}) }
		mustTake(t, skewed(), "k", limit, 7)
		u := mustUse(t, skewed(), "k", limit)
		if want := (ratelimit.Usage{Limit: limit, Used: 5, Refused: 2, Reset: 42 * time.Second}); u != want {
			t.Errorf("skew %v: usage %+v, want %+v", skew, u, want)
		}
		if err := skewed().Reset(t.Context(), "k", limit); err != nil {
			t.Fatal(err)
		}
		wantNoKeys(t, client, "*")
	}
}

func TestBadLimitsAreRefused(t *testing.T) {
	_, client := startMini(t)
	l := New(client, Options{})
	if _, err := l.Usage(t.Context(), "k", ratelimit.Limit{}); !errors.Is(err, ratelimit.ErrLimit) {
		t.Errorf("Usage: %v, want ErrLimit", err)
	}
	if err := l.Reset(t.Context(), "k", ratelimit.Limit{}); !errors.Is(err, ratelimit.ErrLimit) {
		t.Errorf("Reset: %v, want ErrLimit", err)
	}
	if _, err := l.Holds(t.Context(), Guard{Key: "g"}, "k", ratelimit.Limit{}); !errors.Is(err, ratelimit.ErrLimit) {
		t.Errorf("Holds: %v, want ErrLimit", err)
	}
}
