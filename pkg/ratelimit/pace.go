package ratelimit

import (
	"fmt"
	"time"
)

// Pace returns the two numbers that TokenBucket and LeakyBucket decide by, in whole
// microseconds: the time between two permits, and how far the theoretical arrival
// time may run ahead of now. A queue is a bucket of one permit that hands permits
// out up to MaxDelay before they are due.
func (l Limit) Pace() (interval, ahead time.Duration) {
	if l.Permits <= 0 {
		return max(l.Window, time.Microsecond), 0
	}
	// Rounded up, so that rounding never admits more than the limit.
	interval = micros(max(ceilDiv(l.Window.Microseconds(), l.Permits), 1))
	if l.Algorithm == LeakyBucket {
		return interval, interval + l.MaxDelay.Truncate(time.Microsecond)
	}
	return interval, time.Duration(l.burst()) * interval
}

func (l Limit) burst() int64 {
	if l.Burst == 0 {
		return l.Permits
	}
	return l.Burst
}

// validatePace bounds the arrival time: it is at most now + ahead, and ahead at
// most maxSpan for a bucket, maxSpan + maxDelay for a queue.
func (l Limit) validatePace() error {
	switch {
	case l.Permits > l.Window.Microseconds():
		return fmt.Errorf("%w: %d permits in %v, want at most one per microsecond with %s", ErrLimit, l.Permits, l.Window, l.Algorithm)
	case l.Burst < 0 || l.Burst > MaxPermits:
		return fmt.Errorf("%w: burst %d, want 0 to %d", ErrLimit, l.Burst, int64(MaxPermits))
	case l.MaxDelay < 0 || l.MaxDelay > maxDelay:
		return fmt.Errorf("%w: max delay %v, want 0 to %v", ErrLimit, l.MaxDelay, maxDelay)
	case l.Algorithm == LeakyBucket || l.Permits == 0:
		return nil
	}
	if interval, _ := l.Pace(); l.burst() > int64(maxSpan/interval) {
		return fmt.Errorf("%w: burst %d, want at most what fills within %v", ErrLimit, l.burst(), maxSpan)
	}
	return nil
}

// decidePace is the generic cell rate algorithm. Each permit moves the arrival time
// on by interval, as long as it stays within ahead of now:
//
//	granted = ⌊(now + ahead − full) / interval⌋
//
// Between two instants the arrival time moves by at most ahead plus what passed,
// so a span admits at most ⌊(ahead + span) / interval⌋: Burst + span·Permits/Window
// for a bucket. In a queue the permits' times of use are themselves interval apart.
func (l Limit) decidePace(s State, n, now int64) (State, Decision) {
	every, most := l.Pace()
	interval, ahead := every.Microseconds(), most.Microseconds()

	// A time further ahead than this limit allows is from another limit, or from
	// before the clock was set back. It counts as an empty bucket, a full queue; a
	// limit of nothing has neither, and leaves what was there.
	full := max(s.Full, now)
	if l.Permits > 0 {
		full = min(full, now+ahead)
	}
	left := max((now+ahead-full)/interval, 0)
	granted := min(n, left)
	after := full + granted*interval

	d := Decision{
		Limit:     l,
		Granted:   granted,
		Remaining: left - granted,
		Reset:     micros(after - now),
	}
	// A permit more is there once the time has moved on by one interval, or the
	// bucket is full. A limit of nothing has no more to come: look again later.
	d.More = micros(after + (d.Remaining+1)*interval - ahead - now)
	if l.Permits > 0 {
		d.More = min(d.More, d.Reset)
	}
	if granted < n {
		d.RetryAfter = d.More
	}
	if granted > 0 && l.Algorithm == LeakyBucket {
		d.Delay = micros(full - now)
	}
	return State{Full: after}, d
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
