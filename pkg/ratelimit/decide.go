package ratelimit

import "time"

// A State is what an algorithm remembers of one key. The zero State is that of a
// key from which nothing was taken. Which fields are in use depends on the
// algorithm; the others are 0. It is comparable.
type State struct {
	// Window is the start of the window that Current counts in, in Unix seconds
	// (FixedWindow, SlidingWindow).
	Window int64
	// Current is the number of permits granted in that window.
	Current int64
	// Previous is the number granted in the window before (SlidingWindow).
	Previous int64
	// Full is when the bucket is full again (TokenBucket) or the queue empty
	// (LeakyBucket), in Unix microseconds: the theoretical arrival time.
	Full int64
}

// Decide is the algorithm of the limit: what becomes of a request for n permits at
// now, and the state to remember. It is a pure function. Asking for n at once
// grants as many, and leaves the same state, as asking for one n times at the same
// instant; [Decision.Nth] tells those decisions apart. A refused permit leaves no
// trace in the state.
//
// A limit may change from one call to the next and counts at once: what was
// granted before stays counted, but never as more than the new limit could have
// granted. When the Window changes, windowed counters begin anew.
//
// The limit must be valid and n from 1 to MaxPermits; else the result is of no use.
func (l Limit) Decide(s State, n int64, now time.Time) (State, Decision) {
	switch l.Algorithm {
	case SlidingWindow:
		return l.decideSliding(s, n, now.UnixMicro())
	case TokenBucket, LeakyBucket:
		return l.decidePace(s, n, now.UnixMicro())
	}
	return l.decideFixed(s, n, now)
}

// Usage tells how a key with this state stands at now. Its Refused is 0: a state
// does not hold it.
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

// Left returns the state of a key that has remaining permits left at now: with it,
// a limiter can start from what another one knew. What is above the most that
// the limit grants at once counts as that.
func (l Limit) Left(remaining int64, now time.Time) State {
	_, d := l.Decide(State{}, 0, now)
	s, _ := l.Decide(State{}, max(d.Remaining-max(remaining, 0), 0), now)
	return s
}

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
