package redislimit

import (
	"sync/atomic"
	"time"
)

// A clock follows Redis's clock from the times that its replies carry. Between
// replies it runs on the local monotonic clock, so a step of the local wall
// clock does not move it. Until the first reply it trusts the local wall clock.
//
// It only guesses: the script has the last word, and a wrong guess costs one
// more round trip.
type clock struct {
	now    func() time.Time
	origin time.Time
	offset atomic.Int64 // Redis's time at origin, in Unix microseconds
}

func newClock(now func() time.Time) *clock {
	c := &clock{now: now, origin: now()}
	c.offset.Store(c.origin.UnixMicro())
	return c
}
