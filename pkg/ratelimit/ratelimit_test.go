package ratelimit

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestLimitValidate(t *testing.T) {
	tests := []struct {
		name  string
		limit Limit
		fault string // in the error's text; empty for a valid limit
	}{
		{"ordinary", Limit{Permits: 10, Window: time.Minute}, ""},
		{"named algorithm", Limit{Algorithm: FixedWindow, Permits: 10, Window: time.Minute}, ""},
		{"nothing allowed", Limit{Window: time.Second}, ""},
		{"largest", Limit{Permits: MaxPermits, Window: math.MaxInt64 / time.Second * time.Second}, ""},
		{"zero value", Limit{}, "window 0s"},
		{"negative permits", Limit{Permits: -1, Window: time.Minute}, "-1 permits"},
		{"too many permits", Limit{Permits: MaxPermits + 1, Window: time.Minute}, "permits"},
		{"negative window", Limit{Permits: 1, Window: -time.Minute}, "window -1m0s"},
		{"window below a second", Limit{Permits: 1, Window: time.Second - 1}, "window 999.999999ms"},
		{"fraction of a second", Limit{Permits: 1, Window: 1500 * time.Millisecond}, "window 1.5s"},
		{"burst without use", Limit{Permits: 1, Window: time.Minute, Burst: 1}, "burst 1, want 0 unless the algorithm is token_bucket"},
		{"delay without use", Limit{Permits: 1, Window: time.Minute, MaxDelay: time.Second}, "max delay 1s, want 0 unless the algorithm is leaky_bucket"},
		{"burst of a queue", Limit{Algorithm: LeakyBucket, Permits: 1, Window: time.Minute, Burst: 1}, "burst 1"},
		{"delay of a bucket", Limit{Algorithm: TokenBucket, Permits: 1, Window: time.Minute, MaxDelay: 1}, "max delay 1ns"},

		{"sliding window", Limit{Algorithm: SlidingWindow, Permits: 10, Window: time.Minute}, ""},
		{"sliding window of nothing", Limit{Algorithm: SlidingWindow, Window: maxSpan}, ""},
		{"largest sliding window", Limit{Algorithm: SlidingWindow, Permits: (1<<53 - 1) / 60_000, Window: time.Minute}, ""},
		{"sliding window too large", Limit{Algorithm: SlidingWindow, Permits: (1<<53-1)/60_000 + 1, Window: time.Minute}, "at most 150119987579"},
		{"sliding window too long", Limit{Algorithm: SlidingWindow, Permits: 1, Window: maxSpan + time.Second}, "want at most 876000h"},

		{"token bucket", Limit{Algorithm: TokenBucket, Permits: 10, Window: time.Minute}, ""},
		{"token bucket with a burst", Limit{Algorithm: TokenBucket, Permits: 10, Window: time.Minute, Burst: 1}, ""},
		{"token bucket of nothing", Limit{Algorithm: TokenBucket, Window: time.Minute, Burst: 7}, ""},
		{"fastest token bucket", Limit{Algorithm: TokenBucket, Permits: 1_000_000, Window: time.Second, Burst: MaxPermits}, ""},
		{"token bucket too fast", Limit{Algorithm: TokenBucket, Permits: 1_000_001, Window: time.Second}, "one per microsecond"},
		{"largest burst", Limit{Algorithm: TokenBucket, Permits: 1, Window: maxSpan / 10, Burst: 10}, ""},
		{"burst too large", Limit{Algorithm: TokenBucket, Permits: 1, Window: maxSpan / 10, Burst: 11}, "burst 11, want at most what fills within"},
		{"negative burst", Limit{Algorithm: TokenBucket, Permits: 1, Window: time.Minute, Burst: -1}, "burst -1"},
		{"burst beyond counting", Limit{Algorithm: TokenBucket, Permits: 1_000_000, Window: time.Second, Burst: MaxPermits + 1}, "burst"},
		{"token bucket too slow", Limit{Algorithm: TokenBucket, Permits: 1, Window: maxSpan + time.Second}, "window"},

		{"leaky bucket", Limit{Algorithm: LeakyBucket, Permits: 10, Window: time.Minute}, ""},
		{"leaky bucket with a delay", Limit{Algorithm: LeakyBucket, Permits: 10, Window: time.Minute, MaxDelay: maxDelay}, ""},
		{"leaky bucket too fast", Limit{Algorithm: LeakyBucket, Permits: 1_000_001, Window: time.Second}, "one per microsecond"},
		{"delay too long", Limit{Algorithm: LeakyBucket, Permits: 1, Window: time.Minute, MaxDelay: maxDelay + 1}, "max delay"},
		{"negative delay", Limit{Algorithm: LeakyBucket, Permits: 1, Window: time.Minute, MaxDelay: -1}, "max delay -1ns"},
		{"unknown algorithm", Limit{Algorithm: "Fixed_Window", Permits: 1, Window: time.Minute}, `"Fixed_Window"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.limit.Validate()
			if tt.fault == "" {
				if err != nil {
					t.Fatalf("Validate() = %v, want nil", err)
				}
				return
			}
			if !errors.Is(err, ErrLimit) {
				t.Fatalf("Validate() = %v, want an ErrLimit", err)
			}
			if !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("Validate() = %q, want it to name %q", err, tt.fault)
			}
		})
	}
}

func TestDecisionAllowed(t *testing.T) {
	for granted, want := range map[int64]bool{0: false, 1: true, 7: true} {
		if got := (Decision{Granted: granted}).Allowed(); got != want {
			t.Errorf("Decision{Granted: %d}.Allowed() = %v, want %v", granted, got, want)
		}
	}
}
