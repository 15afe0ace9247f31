package ratelimit

import "time"

// WindowStart returns the start of the window that contains now. Windows begin at
// multiples of window in Unix seconds, so processes that agree on the time agree on
// the start. A window below one second counts as one second; a fraction of a second
// is dropped.
func WindowStart(now time.Time, window time.Duration) time.Time {
	length := max(int64(window/time.Second), 1)
	into := now.Unix() % length
	if into < 0 {
		into += length // Go's remainder follows the dividend; windows before 1970 start earlier too.
	}
	return time.Unix(now.Unix()-into, 0).In(now.Location())
}

// DecideFixedWindow decides on a request for n permits at now. countAfter is the
// number of permits charged in the current window including these n, as Redis's
// INCRBY returns it. So requests are served in the order in which they were added.
// It grants the first
//
//	clamp(limit.Permits − (countAfter − n), 0, n)
//
// of the n permits. A store must not leave the rest charged. Arguments out of range
// are clamped: a negative count is 0, and sums saturate.
func DecideFixedWindow(limit Limit, countAfter, n int64, now time.Time) Decision {
	permits, n := max(limit.Permits, 0), max(n, 0)
	before := max(max(countAfter, 0)-n, 0)
	left := max(permits-before, 0)

	d := Decision{
		Limit:   limit,
		Granted: min(left, n),
		Reset:   untilWindowEnd(now, limit.Window),
	}
	d.Remaining, d.More = left-d.Granted, d.Reset
	if d.Granted < n {
		d.RetryAfter = d.Reset
	}
	return d
}

// decideFixed counts in the window that now lies in.
func (l Limit) decideFixed(s State, n int64, now time.Time) (State, Decision) {
	if start := WindowStart(now, l.Window).Unix(); s.Window != start {
		s.Window, s.Current = start, 0
	}
	d := DecideFixedWindow(l, s.Current+n, n, now)
	return State{Window: s.Window, Current: s.Current + d.Granted}, d
}

// untilWindowEnd is positive, whatever the arguments.
func untilWindowEnd(now time.Time, window time.Duration) time.Duration {
	window = max(window.Truncate(time.Second), time.Second)
	into := now.Sub(WindowStart(now, window))
	return max(window-into, 1)
}
