// Package ratelimit defines rate limits, the decisions made under them and the
// algorithms that make those decisions.
//
// A [Limit] says how many permits a key may take, and by which [Algorithm]:
//
//	FixedWindow    a number of permits in each window of the clock
//	SlidingWindow  about that number in any span as long as the window
//	TokenBucket    a steady rate, with bursts after a pause
//	LeakyBucket    one at a time, evenly spaced; early requests are delayed
//
// An algorithm is a pure function, [Limit.Decide], of the limit, the stored state,
// the time and the number of permits; it reads no clock and does no I/O. A
// [Limiter] stores the state: [Local] keeps it in the process, and package
// redislimit shares it through Redis. [Middleware] puts a Limiter in front of an
// http.Handler. Package limittest tests your own Limiter.
//
// This package knows no store. It needs only the standard library and package
// boundedmap.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxPermits is the most permits that a [Limit] can grant and that one call can
// ask for. It is the largest Integer of RFC 9651, section 3.3.1, the type that the
// RateLimit fields use. The sum of two such numbers is below 2⁵³, so stores that
// count in floating point stay exact.
const MaxPermits = 999_999_999_999_999

// Errors to test for with [errors.Is].
var (
	ErrLimit   = errors.New("ratelimit: invalid limit")
	ErrPermits = errors.New("ratelimit: invalid number of permits")
)

// An Algorithm is the rule by which a [Limit] grants permits.
type Algorithm string

// The algorithms.
const (
	// FixedWindow grants at most Permits in each window. Windows are contiguous and
	// aligned to the Unix epoch. A span that crosses a boundary can see up to twice
	// as many permits.
	FixedWindow Algorithm = "fixed_window"

	// SlidingWindow grants like FixedWindow, but also counts the permits of the
	// previous window, weighted by the share of that window that is less than one
	// Window ago, rounded up. Under steady demand every span of one Window sees about
	// Permits. In the worst case, when the previous window granted all its permits at
	// its very end, a span sees nearly twice as many.
	SlidingWindow Algorithm = "sliding_window"

	// TokenBucket grants from a bucket that holds Burst permits and gains one every
	// Window/Permits. Any span sees at most Burst permits plus those gained during
	// it. This is the generic cell rate algorithm (ITU-T I.371).
	TokenBucket Algorithm = "token_bucket"

	// LeakyBucket grants one permit every Window/Permits, evenly spaced, like a queue
	// that drains at that rate. A request that is early gets its permit with a Delay,
	// after which the permit may be used. A request that would have to wait longer
	// than MaxDelay is refused.
	LeakyBucket Algorithm = "leaky_bucket"
)

// Stores' script languages count in floating point, which is exact below 2⁵³. These
// bounds keep every number of an algorithm below that: Unix microseconds stay there
// until 2255, and with maxSpan added until 2155.
const (
	maxExact = 1 << 53
	maxSpan  = 100 * 365 * 24 * time.Hour
	maxDelay = 24 * time.Hour
)

// A Limit says how many permits one key may take. It is comparable.
type Limit struct {
	// Algorithm is the rule; empty means FixedWindow.
	Algorithm Algorithm
	// Permits is the number granted in each Window, from 0 to MaxPermits; 0 refuses
	// everything. For SlidingWindow, Permits times the Window in milliseconds must be
	// below 2⁵³. A TokenBucket or LeakyBucket grants at most one permit per
	// microsecond, and rounds the time between permits up to whole microseconds: that
	// is exact when Permits divides the Window, and otherwise less than 0.1 % slower
	// at 1,000 permits per second.
	Permits int64
	// Window is a whole number of seconds, at least one. It is at most 36,500 days
	// for any algorithm but FixedWindow.
	Window time.Duration
	// Burst is the number of permits that a full TokenBucket holds; 0 means Permits.
	// The bucket must fill within 36,500 days. Burst must be 0 for other algorithms.
	Burst int64
	// MaxDelay is the longest Delay of a LeakyBucket, at most 24 hours. Requests that
	// would have to wait longer are refused. Fractions of a microsecond are dropped.
	// MaxDelay must be 0 for other algorithms.
	MaxDelay time.Duration
}

// Validate returns nil for a valid limit, or an error that wraps [ErrLimit] and
// names the first fault. It is cheap enough to call for each request.
func (l Limit) Validate() error {
	switch {
	case l.Permits < 0 || l.Permits > MaxPermits:
		return fmt.Errorf("%w: %d permits, want 0 to %d", ErrLimit, l.Permits, int64(MaxPermits))
	case l.Window < time.Second || l.Window%time.Second != 0:
		return fmt.Errorf("%w: window %v, want whole seconds, at least 1s", ErrLimit, l.Window)
	case l.Burst != 0 && l.Algorithm != TokenBucket:
		return fmt.Errorf("%w: burst %d, want 0 unless the algorithm is %s", ErrLimit, l.Burst, TokenBucket)
	case l.MaxDelay != 0 && l.Algorithm != LeakyBucket:
		return fmt.Errorf("%w: max delay %v, want 0 unless the algorithm is %s", ErrLimit, l.MaxDelay, LeakyBucket)
	case l.Algorithm == FixedWindow || l.Algorithm == "":
		return nil
	case l.Window > maxSpan:
		return fmt.Errorf("%w: window %v, want at most %v", ErrLimit, l.Window, maxSpan)
	}
	switch l.Algorithm {
	case SlidingWindow:
		return l.validateSliding()
	case TokenBucket, LeakyBucket:
		return l.validatePace()
	}
	return fmt.Errorf("%w: unknown algorithm %q", ErrLimit, string(l.Algorithm))
}

// A Decision is the answer to one request for n permits. A refusal is a
// Decision, not an error.
type Decision struct {
	// Limit is the limit that was applied.
	Limit Limit
	// Granted is the number of permits granted, from 0 to the n requested.
	Granted int64
	// Remaining is the number of permits left after this decision: how many would be
	// granted now.
	Remaining int64
	// Reset is the time until all permits are available again, if none is taken in
	// the meantime: until the window ends, or with SlidingWindow the next one; until
	// the bucket is full, or the queue is empty.
	Reset time.Duration
	// More is the time until more than Remaining permits are available, if none is
	// taken in the meantime. It is at most Reset, except with a limit of 0 permits,
	// which never has more: there it says when to check again. It is 0 if all permits
	// are available, or if the limiter does not know.
	More time.Duration
	// RetryAfter is the time to wait before asking again for what was refused. It is
	// 0 if every requested permit was granted, else positive.
	RetryAfter time.Duration
	// Delay is how long the caller must wait before it uses the first granted permit.
	// Each further permit of a LeakyBucket follows Window/Permits later; see Nth. Delay
	// is 0 with other algorithms.
	Delay time.Duration
}

// Allowed reports whether at least one permit was granted. For n = 1 that is the
// whole answer. For n > 1 the grant may be partial: only the first Granted of the n
// may pass, and RetryAfter is 0 only if all of them may.
func (d Decision) Allowed() bool { return d.Granted > 0 }

// Nth returns the decision on the i-th of the n permits that d decided, counting
// from 0. It is the decision that the i-th of n callers would have got, had each
// asked for one permit. So one Take can serve many callers.
func (d Decision) Nth(i int64) Decision {
	if i >= d.Granted {
		d.Granted, d.Delay = 0, 0
		return d
	}
	behind := d.Granted - 1 - i
	d.Remaining += behind
	if d.Limit.Algorithm == SlidingWindow {
		d.More = d.Limit.moreSliding(d)
	}
	if d.Limit.Algorithm == TokenBucket || d.Limit.Algorithm == LeakyBucket {
		interval, _ := d.Limit.Pace()
		d.Reset -= time.Duration(behind) * interval
		d.More = min(d.More, d.Reset)
		if d.Limit.Algorithm == LeakyBucket {
			d.Delay += time.Duration(i) * interval
		}
	}
	d.Granted, d.RetryAfter = 1, 0
	return d
}

// Wait returns nil once Delay has passed, at once if Delay is 0. If ctx ends first,
// Wait returns the context's error; the permits stay taken.
func (d Decision) Wait(ctx context.Context) error {
	if d.Delay <= 0 {
		return nil
	}
	timer := time.NewTimer(d.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A Usage says how a key stands under a limit.
type Usage struct {
	// Limit is the limit that the other fields are about.
	Limit Limit
	// Used is the number of permits granted in the current window, with
	// SlidingWindow plus those of the previous window that still count; or the number
	// missing from the bucket; or the number in the queue. It exceeds Limit.Permits
	// if the limit was lowered in the meantime.
	Used int64
	// Remaining is the number of permits that would be granted now.
	Remaining int64
	// Refused is the number of permits refused in the current window; with algorithms
	// other than FixedWindow, within one Window of the first refusal.
	Refused int64
	// Reset is the time until all permits are available again, as in [Decision].
	Reset time.Duration
}

// A Limiter grants permits. Implementations are safe for concurrent use.
type Limiter interface {
	// Take asks for n permits of key under limit. Taking n at once grants as
	// many as taking one n times in a row. Refused permits are not charged.
	//
	// The error wraps ErrLimit if the limit is invalid, and ErrPermits if n is not
	// between 1 and MaxPermits; both leave the state unchanged. After any other
	// error the permits may or may not have been charged, so do not simply repeat
	// the call: that could charge twice.
	Take(ctx context.Context, key string, limit Limit, n int64) (Decision, error)
}
