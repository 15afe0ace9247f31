// Package ratelimit defines rate limits, the decisions made under them and the
// algorithms that make those decisions.
//
// An algorithm here is a pure function of the limit, the stored state and the
// time; it reads no clock and does no I/O. Where the state is kept is the
// business of a [Limiter]: package redislimit shares it through Redis. This
// package needs nothing but the standard library and knows no store.
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

// FixedWindow admits at most Permits in each window. Windows follow one another
// without a gap, aligned to the Unix epoch, so a span that crosses a boundary
// can see up to twice as many.
const FixedWindow Algorithm = "fixed_window"

// A Limit says how many permits one key may take. It is comparable.
type Limit struct {
	// Algorithm is the rule; empty means FixedWindow.
	Algorithm Algorithm
	// Permits is the number granted in each Window, from 0 to MaxPermits. With 0
	// everything is refused.
	Permits int64
	// Window is a whole number of seconds, at least one.
	Window time.Duration
	// Burst is how many permits can be taken at once after a pause, by an algorithm
	// that fills up again bit by bit; 0 means Permits. It must be 0 for others.
	Burst int64
	// MaxDelay is the longest wait that an algorithm which delays may ask for; what
	// would have to wait longer is refused. It must be 0 for others.
	MaxDelay time.Duration
}

// Validate returns an error that wraps [ErrLimit] and names the first fault, or
// nil. It is cheap enough to be called for each request.
func (l Limit) Validate() error {
	switch {
	case l.Algorithm != "" && l.Algorithm != FixedWindow:
		return fmt.Errorf("%w: unknown algorithm %q", ErrLimit, string(l.Algorithm))
	case l.Permits < 0 || l.Permits > MaxPermits:
		return fmt.Errorf("%w: %d permits, want 0 to %d", ErrLimit, l.Permits, int64(MaxPermits))
	case l.Window < time.Second || l.Window%time.Second != 0:
		return fmt.Errorf("%w: window %v, want whole seconds, at least 1s", ErrLimit, l.Window)
	case l.Burst != 0:
		return fmt.Errorf("%w: burst %d, which %s has no use for", ErrLimit, l.Burst, FixedWindow)
	case l.MaxDelay != 0:
		return fmt.Errorf("%w: max delay %v, which %s has no use for", ErrLimit, l.MaxDelay, FixedWindow)
	}
	return nil
}

// A Decision is the answer to one request for n permits. A refusal is a
// Decision, not an error.
type Decision struct {
	// Limit is the limit that was applied.
	Limit Limit
	// Granted is the number of permits granted, from 0 to the n asked for.
	Granted int64
	// Remaining is what is left in the window after this decision.
	Remaining int64
	// Reset is the time until the window ends.
	Reset time.Duration
	// RetryAfter is the time to wait before what was refused is worth asking for
	// again. It is 0 when every permit asked for was granted, else positive.
	RetryAfter time.Duration
	// Delay is how long the caller must wait before it uses what was granted. It
	// is 0 unless the algorithm delays.
	Delay time.Duration
}

// Allowed reports whether at least one permit was granted. For n = 1 that is the
// whole answer. For n > 1 the grant may be partial: the first Granted of the n
// may pass, and RetryAfter is 0 only when all of them may.
func (d Decision) Allowed() bool { return d.Granted > 0 }

// A Usage says how a key stands under a limit.
type Usage struct {
	// Limit is the limit that was asked about.
	Limit Limit
	// Used is the number of permits granted in the current window. It is above
	// Limit.Permits when the limit was lowered since.
	Used int64
	// Remaining is what is left in the window.
	Remaining int64
	// Refused is the number of permits asked for in the window and not granted.
	Refused int64
	// Reset is the time until the window ends.
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
