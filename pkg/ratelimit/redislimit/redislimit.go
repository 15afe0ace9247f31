// Package redislimit shares the limits of package ratelimit between processes
// through Redis 7.0 or later: standalone, Sentinel or Cluster.
//
// It is exact. However many processes take from a key, and however far their
// clocks are apart, a window grants its permits: not one more, and not one fewer
// if that many are asked for; and so with the other algorithms. Redis decides, by
// its own clock, in one atomic script. What the script granted is checked against
// [ratelimit.Limit.Decide]. A fixed window's counter has the window's start in its
// name, which Redis Cluster wants to know in advance: the caller's clock guesses
// it, and the script refuses a wrong guess and says what time it is.
//
// This package knows no HTTP and keeps no permits of its own: each call asks
// Redis.
package redislimit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// DefaultPrefix begins the name of every counter unless [Options] says otherwise.
const DefaultPrefix = "rate_count:"

// ErrWindow is wrapped by the error for a call that found Redis in another window
// than the one it named, as often as it tried. Nothing was taken. It takes a
// round trip about as long as the window, or a Redis whose clock jumps.
var ErrWindow = errors.New("redislimit: window missed")

// tries bounds the names that one call proposes. A name can be wrong again when
// a boundary passed since the last reply, or when that reply took so much longer
// than the next command that it points past one.
const tries = 5

// refusedPrefix begins the name of every counter of refused permits; a Prefix of
// the caller's own comes after it.
const refusedPrefix = "rate_refused:"

// Options say how counters are named. The zero value is ready for use.
type Options struct {
	// Prefix begins every counter's name; empty means DefaultPrefix.
	Prefix string
	// HashTag wraps keys in braces, so that all that counts for a key lies in one
	// slot of a Redis Cluster, beside every other Redis key with {key} in its name.
	// With it, the guard of TakeIf must have one such name. Over a Cluster's client
	// it is always on.
	HashTag bool
}

// CounterKey returns the Redis key that counts the permits granted to key in the
// window that starts at start: <prefix><key>:<start in Unix seconds>. Its value
// is a decimal integer; it is absent while nothing was asked for.
func (o Options) CounterKey(key string, start time.Time) string {
	prefix := o.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return o.name("", prefix, key, start)
}

// RefusedKey returns the Redis key that counts the permits refused to key in the
// window that starts at start: rate_refused:<key>:<start in Unix seconds>, with
// Options.Prefix, if it is set, before <key>. It lives as long as the counter.
// With the zero start it is that of the other algorithms, rate_refused:<key>,
// which counts for one Window from the first refusal on.
func (o Options) RefusedKey(key string, start time.Time) string {
	return o.name(refusedPrefix, o.Prefix, key, start)
}

// StateKey returns the Redis key that holds the state of key under an algorithm,
// with Options.Prefix, if it is set, before <key>:
//
//	rate_sliding:<key>  SlidingWindow: a hash of window (its start in Unix seconds), current and previous
//	rate_bucket:<key>   TokenBucket: when the bucket is full again, in Unix microseconds
//	rate_queue:<key>    LeakyBucket: when the queue is empty, in Unix microseconds
//
// It is absent while it would mean nothing. For any other algorithm the name is
// "": FixedWindow has its CounterKey.
func (o Options) StateKey(key string, a ratelimit.Algorithm) string {
	switch a {
	case ratelimit.SlidingWindow:
		return o.name("rate_sliding:", o.Prefix, key, time.Time{})
	case ratelimit.TokenBucket:
		return o.name("rate_bucket:", o.Prefix, key, time.Time{})
	case ratelimit.LeakyBucket:
		return o.name("rate_queue:", o.Prefix, key, time.Time{})
	}
	return ""
}

func (o Options) name(family, prefix, key string, start time.Time) string {
	name := make([]byte, 0, len(family)+len(prefix)+len(key)+len("{}:")+20)
	name = append(name, family...)
	name = append(name, prefix...)
	if o.HashTag {
		name = append(name, '{')
	}
	name = append(name, key...)
	if o.HashTag {
		name = append(name, '}')
	}
	if start.IsZero() {
		return string(name)
	}
	name = append(name, ':')
	return string(strconv.AppendInt(name, start.Unix(), 10))
}

// A Limiter is a [ratelimit.Limiter] whose state is in Redis. It is safe for
// concurrent use and costs one round trip a call, two when Redis does not know
// the script yet, or when, for a FixedWindow, its clock was guessed wrong: on the
// first call, or in the moment when one window follows another.
type Limiter struct {
	client  redis.UniversalClient
	options Options
	clock   *clock
}

var _ ratelimit.Limiter = (*Limiter)(nil)

// New returns a Limiter that sends through client, which stays the caller's to
// close. The limiter's commands are never retried by the client. A context cuts
// them short only if the client has ContextTimeoutEnabled.
func New(client redis.UniversalClient, o Options) *Limiter {
	return newLimiter(client, o, time.Now)
}

func newLimiter(client redis.UniversalClient, o Options, now func() time.Time) *Limiter {
	if _, cluster := client.(*redis.ClusterClient); cluster {
		o.HashTag = true // a script's keys must lie in one slot
	}
	return &Limiter{client: client, options: o, clock: newClock(now)}
}

// Take implements [ratelimit.Limiter]. Beside that contract's errors, its own
// wrap the error of Redis (redis.Error), the network or the context, or
// [ErrReply] or [ErrWindow].
func (l *Limiter) Take(ctx context.Context, key string, limit ratelimit.Limit, n int64) (ratelimit.Decision, error) {
	o, err := l.take(ctx, &call{options: l.options, key: key, limit: limit, n: n})
	return o.Decision, err
}

// Usage tells how key stands under limit. It takes nothing. The error is as for
// Take.
func (l *Limiter) Usage(ctx context.Context, key string, limit ratelimit.Limit) (ratelimit.Usage, error) {
	a, err := l.run(ctx, &call{options: l.options, key: key, limit: limit})
	return a.usage, err
}

// Reset forgets what was taken and refused of key under the limit's algorithm,
// with FixedWindow in the current window. The error is as for Take; Reset may be
// repeated.
func (l *Limiter) Reset(ctx context.Context, key string, limit ratelimit.Limit) error {
	_, err := l.run(ctx, &call{reset: true, options: l.options, key: key, limit: limit})
	return err
}

// A Guard names a Redis key and the exact bytes that it is expected to hold. In
// Redis Cluster the key must lie in the counter's slot; see Options.HashTag.
type Guard struct {
	Key   string
	Value string
}

// An Outcome is the answer to [Limiter.TakeIf].
type Outcome struct {
	// Decision is the limit's answer; zero if Changed.
	Decision ratelimit.Decision
	// Changed says that the guard did not hold the expected bytes. Nothing was
	// taken, nor written.
	Changed bool
	// Current is what the guard held instead, and Exists whether there was such a
	// key; set only if Changed.
	Current string
	Exists  bool
}

// TakeIf is [Limiter.Take] on the condition that the guard's key holds the
// expected bytes. Comparing and taking are one atomic step at the cost of Take.
// A guard that is not a string is an error of Redis.
func (l *Limiter) TakeIf(ctx context.Context, guard Guard, key string, limit ratelimit.Limit, n int64) (Outcome, error) {
	return l.take(ctx, &call{options: l.options, key: key, limit: limit, n: n, guard: &guard})
}

func (l *Limiter) take(ctx context.Context, c *call) (Outcome, error) {
	if c.n < 1 || c.n > ratelimit.MaxPermits {
		return Outcome{}, fmt.Errorf("%w: %d, want 1 to %d", ratelimit.ErrPermits, c.n, int64(ratelimit.MaxPermits))
	}
	a, err := l.run(ctx, c)
	switch {
	case err != nil:
		return Outcome{}, err
	case a.status == guardChanged:
		return Outcome{Changed: true, Current: a.current, Exists: a.exists}, nil
	}
	return Outcome{Decision: a.decision}, nil
}

// run sends the call until Redis finds itself in the window that it names.
func (l *Limiter) run(ctx context.Context, c *call) (answer, error) {
	if err := c.limit.Validate(); err != nil {
		return answer{}, err
	}
	// Kept apart from the shared offset: the nodes of a Cluster have clocks of
	// their own, and what another call learns must not lead this one astray.
	offset := l.clock.offset.Load()
	for range tries {
		// Counted from the sending, the offset holds the way to Redis as well, and
		// so names the window in which the next command will arrive.
		sent := l.clock.elapsed()
		c.start = ratelimit.WindowStart(time.UnixMicro(offset+sent), c.limit.Window)
		a, err := l.send(ctx, c)
		if err != nil {
			return answer{}, err
		}
		offset = a.now - sent
		l.clock.offset.Store(offset)
		if a.status != otherWindow { // else nothing was written, so asking again is safe
			return a, nil
		}
	}
	return answer{}, fmt.Errorf("%w: %d times", ErrWindow, tries)
}

// send runs the script once.
func (l *Limiter) send(ctx context.Context, c *call) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, fmt.Errorf("redislimit: %w", err)
	}
	cmd := c.bySHA(ctx)
	err := l.client.Process(ctx, cmd)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = c.bySource(ctx)
		err = l.client.Process(ctx, cmd)
	}
	if err != nil {
		return answer{}, fmt.Errorf("redislimit: %w", err)
	}
	return c.answer(cmd.Val())
}
