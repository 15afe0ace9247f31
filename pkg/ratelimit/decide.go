package ratelimit

import "time"

// A State is what an algorithm remembers of one key. The zero State is that of a
// key from which nothing was taken. Each algorithm uses some of the fields; the
// others are 0. A State is comparable.
type State struct {
	// Window is the start of the window that Current counts in, in Unix seconds
	// (FixedWindow, SlidingWindow).
	Window int64
	// Current is the number of permits granted in that window.
	Current int64
	// Previous is the number granted in the previous window (SlidingWindow).
	Previous int64
	// Full is when the bucket is full again (TokenBucket) or the queue is empty
	// (LeakyBucket), in Unix microseconds: the theoretical arrival time.
	Full int64
}

// Decide runs the limit's algorithm: it returns the decision on a request for n
// permits at now, and the state to remember. It is a pure function. Asking for n at
// once grants as many, and leaves the same state, as asking for one n times at the
// same instant; [Decision.Nth] returns those n decisions. Refused permits leave no
// trace in the state.
//
// The limit may change between calls and takes effect at once: permits granted
// before still count, but never as more than the new limit could have granted. When
// the Window changes, windowed counters start over.
//
// The limit must be valid and n between 1 and MaxPermits; otherwise the result is
// meaningless.
func (l Limit) Decide(s State, n int64, now time.Time) (State, Decision) {
	switch l.Algorithm {
	case SlidingWindow:
		return l.decideSliding(s, n, now.UnixMicro())
	case TokenBucket, LeakyBucket:
		return l.decidePace(s, n, now.UnixMicro())
	}
	return l.decideFixed(s, n, now)
}

// Usage returns how a key with this state stands at now. Its Refused is 0, since a
// State does not count refusals.
func (l Limit) Usage(s State, now time.Time) Usage {
	s, d := l.Decide(s, 0, now)
	u := Usage{Limit: l, Used: s.Current, Remaining: d.Remaining, Reset: d.Reset}
	switch l.Algorithm {
	case SlidingWindow:
		u.Used += l.weighted(s, now.UnixMicro())
	case TokenBucket, LeakyBucket:
		interval, _ := l.Pace()
		u.Used = ceilDiv(d.Reset.Microseconds(), interval.Microseconds())
	}
	return u
}

// Left returns the state of a key that has remaining permits left at now. With it,
// one limiter can start from what another one knew. A number above what the limit
// grants at once counts as that maximum.
func (l Limit) Left(remaining int64, now time.Time) State {
	_, d := l.Decide(State{}, 0, now)
	s, _ := l.Decide(State{}, max(d.Remaining-max(remaining, 0), 0), now)
	return s
}

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
