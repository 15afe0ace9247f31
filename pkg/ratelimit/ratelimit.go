// Package ratelimit defines rate limits, the decisions made under them and the
// algorithms that make those decisions.
//
// A [Limit] says how many permits a key may take, and by which [Algorithm]:
//
//	FixedWindow    so many in each window of the clock
//	SlidingWindow  about so many in any span as long as the window
//	TokenBucket    at a steady rate, with a burst after a rest
//	LeakyBucket    one by one, evenly spaced; what comes early is delayed
//
// An algorithm is a pure function, [Limit.Decide], of the limit, the stored state,
// the time and the number of permits; it reads no clock and does no I/O. Where the
// state is kept is the business of a [Limiter]: a [Local] keeps it in the process,
// package redislimit shares it through Redis. [Middleware] puts a Limiter before
// an http.Handler. Package limittest tests a Limiter of your own.
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

// MaxPermits is the largest number of permits in a [Limit], and the largest
// that can be taken at once. It is the greatest Integer of RFC 9651, section
// 3.3.1, in which the RateLimit fields carry it. The sum of two such numbers is
// below 2⁵³, so that stores which count in floating point stay exact.
const MaxPermits = 999_999_999_999_999

// Errors that callers can tell apart with [errors.Is].
var (
	ErrLimit   = errors.New("ratelimit: invalid limit")
	ErrPermits = errors.New("ratelimit: invalid number of permits")
)

// Algorithm names the rule by which a [Limit] admits.
type Algorithm string

// The algorithms.
const (
	// FixedWindow admits at most Permits in each window. Windows follow one another
	// without a gap, aligned to the Unix epoch, so a span that crosses a boundary
	// can see up to twice as many.
	FixedWindow Algorithm = "fixed_window"

	// SlidingWindow admits like FixedWindow, but counts as used also what was granted
	// in the window before, by the share of it that lies less than one Window back,
	// rounded up. Under a steady demand every span of one Window sees about Permits;
	// at worst, when all of the window before was granted in its last moment, nearly
	// twice as many.
	SlidingWindow Algorithm = "sliding_window"

	// TokenBucket admits from a bucket that holds Burst permits and fills by one
	// permit each Window/Permits: any span admits at most Burst and what flows in
	// meanwhile. It is the generic cell rate algorithm (ITU-T I.371).
	TokenBucket Algorithm = "token_bucket"

	// LeakyBucket admits one permit each Window/Permits, evenly spaced: a queue that
	// drains at that pace. A permit that comes early is granted with the Delay after
	// which it may be used; one that would have to wait longer than MaxDelay is
	// refused.
	LeakyBucket Algorithm = "leaky_bucket"
)

// The script languages of stores count in floating point, which is exact below
// 2⁵³. The bounds keep every number of an algorithm there: Unix microseconds do
// so until 2255, and with maxSpan added until 2155.
const (
	maxExact = 1 << 53
	maxSpan  = 100 * 365 * 24 * time.Hour
	maxDelay = 24 * time.Hour
)

// A Limit says how many permits one key may take. It is comparable.
type Limit struct {
	// Algorithm is the rule; empty means FixedWindow.
	Algorithm Algorithm
	// Permits is the number granted in each Window, from 0 to MaxPermits. With 0
	// everything is refused. For SlidingWindow its product with the Window in
	// milliseconds must be below 2⁵³; a TokenBucket or LeakyBucket grants at most
	// one a microsecond. Their time between permits is rounded up to whole
	// microseconds: exact when Permits divides the Window, and otherwise less than
	// 0.1 % slower at 1,000 permits a second.
	Permits int64
	// Window is a whole number of seconds, at least one. It is at most 36,500 days
	// for any algorithm but FixedWindow.
	Window time.Duration
	// Burst is how many permits a TokenBucket holds; 0 means Permits. Filling it must
	// not take longer than 36,500 days. It must be 0 for other algorithms.
	Burst int64
	// MaxDelay is the longest wait that a LeakyBucket asks for, at most 24 hours; what
	// would have to wait longer is refused. A fraction of a microsecond is dropped.
	// It must be 0 for other algorithms.
	MaxDelay time.Duration
}

// Validate returns an error that wraps [ErrLimit] and names the first fault, or
// nil. It is cheap enough to be called for each request.
func (l Limit) Validate() error {
	switch {
	case l.Permits < 0 || l.Permits > MaxPermits:
		return fmt.Errorf("%w: %d permits, want 0 to %d", ErrLimit, l.Permits, int64(MaxPermits))
	case l.Window < time.Second || l.Window%time.Second != 0:
		return fmt.Errorf("%w: window %v, want whole seconds, at least 1s", ErrLimit, l.Window)
	case l.Burst != 0 && l.Algorithm != TokenBucket:
		return fmt.Errorf("%w: burst %d, which only %s has a use for", ErrLimit, l.Burst, TokenBucket)
	case l.MaxDelay != 0 && l.Algorithm != LeakyBucket:
		return fmt.Errorf("%w: max delay %v, which only %s has a use for", ErrLimit, l.MaxDelay, LeakyBucket)
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
	// Granted is the number of permits granted, from 0 to the n asked for.
	Granted int64
	// Remaining is what is left after this decision: how many permits would be
	// granted now.
	Remaining int64
	// Reset is the time until all permits are there again if none is taken
	// meanwhile: until the window ends, with SlidingWindow until the next one has
	// ended too; until the bucket is full, or the queue empty.
	Reset time.Duration
	// More is the time until more permits are there than Remaining, if none is taken
	// meanwhile. It is at most Reset, save that a limit of 0 permits has no more to
	// come and is worth another look then; it is 0 if everything is there, or if
	// whoever made the decision does not know.
	More time.Duration
	// RetryAfter is the time to wait before what was refused is worth asking for
	// again. It is 0 when every permit asked for was granted, else positive.
	RetryAfter time.Duration
	// Delay is how long the caller must wait before it uses the first permit
	// granted; each further one follows a LeakyBucket's Window/Permits later, as Nth
	// tells. It is 0 unless the algorithm delays.
	Delay time.Duration
}

// Allowed reports whether at least one permit was granted. For n = 1 that is the
// whole answer. For n > 1 the grant may be partial: the first Granted of the n
// may pass, and RetryAfter is 0 only when all of them may.
func (d Decision) Allowed() bool { return d.Granted > 0 }

// Nth returns the decision on the i-th of the n permits that d answered, counted
// from 0: the same as if n callers had each asked for one, and this had been the
// i-th of them. So one taking can serve many callers.
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

// Wait returns when Delay has passed, at once when it is 0. When ctx ends first it
// returns the context's error; the permits stay spent.
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
	// Limit is the limit that was asked about.
	Limit Limit
	// Used is the number of permits granted in the current window, with
	// SlidingWindow also those of the window before that still count; those missing
	// from the bucket; those in the queue. It is above Limit.Permits when the limit
	// was lowered since.
	Used int64
	// Remaining is how many permits would be granted now.
	Remaining int64
	// Refused is the number of permits asked for in the window and not granted; with
	// an algorithm other than FixedWindow, within one Window of the first of them.
	Refused int64
	// Reset is the time until all permits are there again, as in [Decision].
	Reset time.Duration
}

// A Limiter grants permits. Implementations are safe for concurrent use.
type Limiter interface {
	// Take asks for n permits of key under limit. Taking n at once grants as
	// many as taking one n times in a row, and a refused permit is not charged.
	//
	// The error wraps ErrLimit for an invalid limit and ErrPermits for n outside
	// 1 to MaxPermits; both leave the state untouched. After any other error it
	// is unknown whether the permits were charged: that errs on the side of the
	// limit, and the call must not be repeated blindly.
	Take(ctx context.Context, key string, limit Limit, n int64) (Decision, error)
}
