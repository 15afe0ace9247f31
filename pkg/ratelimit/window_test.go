package ratelimit

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWindowStart(t *testing.T) {
	tests := []struct {
		name   string
		now    time.Time
		window time.Duration
		want   int64
	}{
		{"inside", time.Unix(125, 0), time.Minute, 120},
		{"first instant", time.Unix(120, 0), time.Minute, 120},
		{"last instant", time.Unix(179, 999_999_999), time.Minute, 120},
		{"next window", time.Unix(180, 0), time.Minute, 180},
		{"one second", time.Unix(7, 500_000_000), time.Second, 7},
		{"not a divisor of a minute", time.Unix(100, 0), 7 * time.Second, 98},
		{"before 1970", time.Unix(-1, 0), time.Minute, -60},
		{"just before 1970", time.Unix(0, -1), time.Minute, -60},
		{"window too short", time.Unix(9, 1), time.Millisecond, 9},
		{"negative window", time.Unix(9, 1), -time.Minute, 9},
		{"fraction dropped", time.Unix(9, 0), 2500 * time.Millisecond, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := WindowStart(tt.now, tt.window)
			if got.Unix() != tt.want || got.Nanosecond() != 0 {
				t.Errorf("WindowStart(%v, %v) = %v, want Unix %d", tt.now, tt.window, got, tt.want)
			}
		})
	}
}

func TestDecideFixedWindow(t *testing.T) {
	const at = 42 * time.Second // from the window's start
	tests := []struct {
		name               string
		permits, count, n  int64
		granted, remaining int64
	}{
		{"first", 10, 1, 1, 1, 9},
		{"last", 10, 10, 1, 1, 0},
		{"one too many", 10, 11, 1, 0, 0},
		{"long spent", 10, 1000, 1, 0, 0},
		{"several", 10, 5, 3, 3, 5},
		{"several to the brim", 10, 10, 3, 3, 0},
		{"granted in part", 10, 12, 5, 3, 0},
		{"more than the limit at once", 10, 25, 25, 10, 0},
		{"nothing allowed", 0, 1, 1, 0, 0},
		{"none asked for", 10, 4, 0, 0, 6},
		{"limit lowered", 3, 8, 2, 0, 0},
		{"largest count", 10, math.MaxInt64, 1, 0, 0},
		{"everything largest", math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, 0},
		{"count below n", 10, 2, 5, 5, 5},
		{"smallest count", 10, math.MinInt64, math.MaxInt64, 10, 0},
		{"negative n", 10, 4, -3, 0, 6},
		{"negative permits", -10, 1, 1, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limit := Limit{Permits: tt.permits, Window: time.Minute}
			want := Decision{Limit: limit, Granted: tt.granted, Remaining: tt.remaining, Reset: time.Minute - at, More: time.Minute - at}
			if tt.granted < tt.n {
				want.RetryAfter = want.Reset
			}
			got := DecideFixedWindow(limit, tt.count, tt.n, time.Unix(6000, 0).Add(at))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("DecideFixedWindow(count %d, n %d) (-want +got):\n%s", tt.count, tt.n, diff)
			}
		})
	}
}

func FuzzDecideFixedWindow(f *testing.F) {
	f.Add(int64(10), int64(12), int64(5), int64(60), int64(1_700_000_000_000_000))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, permits, count, n, window, now int64) {
		limit := Limit{Permits: permits, Window: time.Duration(window)}
		d := DecideFixedWindow(limit, count, n, time.UnixMicro(now))
		switch {
		case d.Granted < 0 || d.Granted > max(n, 0):
			t.Errorf("granted %d of %d", d.Granted, n)
		case d.Remaining < 0 || d.Granted > max(permits, 0)-d.Remaining:
			t.Errorf("granted %d and left %d of %d", d.Granted, d.Remaining, permits)
		case d.Reset <= 0 || d.Reset > max(limit.Window, time.Second):
			t.Errorf("reset in %v with a window of %v", d.Reset, limit.Window)
		case (d.RetryAfter > 0) != (d.Granted < n):
			t.Errorf("retry after %v, granted %d of %d", d.RetryAfter, d.Granted, n)
		}
	})
}

// Any way of cutting a row of requests into groups grants the same permits.
func FuzzGroupedTakesEqualSingleTakes(f *testing.F) {
	f.Add(uint8(10), []byte{3, 1, 8, 2})
	f.Add(uint8(0), []byte{1})
	f.Fuzz(func(t *testing.T, permits uint8, groups []byte) {
		limit := Limit{Permits: int64(permits), Window: time.Minute}
		now := time.Unix(0, 0)
		var grouped, single int64
		for _, n := range groups {
			before := grouped
			d := DecideFixedWindow(limit, before+int64(n), int64(n), now)
			grouped += d.Granted
			for range n {
				single += DecideFixedWindow(limit, single+1, 1, now).Granted
			}
			if grouped != single {
				t.Fatalf("%d permits granted in groups, %d one by one", grouped, single)
			}
		}
	})
}
