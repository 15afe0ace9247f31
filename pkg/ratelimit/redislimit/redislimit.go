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
// It is cheap under load. Callers that find Redis busy go out together in one
// pipeline, those who ask the same as one call, with no timer and no background
// goroutine. If asked to, it refuses keys with nothing left from memory.
//
// This package knows no HTTP and keeps no permits of its own: none is granted
// without Redis.
package redislimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// Options say how counters are named and how Redis is asked. The zero value is
// ready for use.
type Options struct {
	// Prefix begins every counter's name; empty means DefaultPrefix.
	Prefix string
	// HashTag wraps keys in braces, so that all that counts for a key lies in one
	// slot of a Redis Cluster, beside every other Redis key with {key} in its name.
	// With it, the guard of TakeIf must have one such name. Over a Cluster's client
	// it is always on.
	HashTag bool
	// Spent is how many keys at most are remembered to have nothing left, and
	// refused without asking Redis: until then when permits come back, and for a
	// second at most, so that is how long a limit that was raised, a reset or a
	// changed guard can go unnoticed for a key that is being refused. 0 asks always.
	Spent int
	// Timeout bounds Take, TakeIf and Holds, with waiting, round trip and second try,
	// and each round trip that callers share; 0 leaves that to the client's own
	// time-outs. A caller's context bounds its own waiting alone.
	Timeout time.Duration
	// Observe, if set, is told of every round trip. It must be quick.
	Observe func(Exchange)
	// Now is the caller's clock; nil means time.Now. It may be wrong: the limiter
	// learns Redis's from the replies.
	Now func() time.Time
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
	const digits = 20
	var name strings.Builder
	name.Grow(len(family) + len(prefix) + len(key) + len("{}:") + digits)
	name.WriteString(family)
	name.WriteString(prefix)
	if o.HashTag {
		name.WriteByte('{')
	}
	name.WriteString(key)
	if o.HashTag {
		name.WriteByte('}')
	}
	if !start.IsZero() {
		name.WriteByte(':')
		name.Write(strconv.AppendInt(make([]byte, 0, digits), start.Unix(), 10))
	}
	return name.String()
}

// A Limiter is a [ratelimit.Limiter] whose state is in Redis. It is safe for
// concurrent use, and one is meant to be shared by all callers of a process. A
// call costs one round trip, which it may share with others; two when Redis does
// not know the script yet, or when, for a FixedWindow, its clock was guessed wrong:
// on the first call, or in the moment when one window follows another.
type Limiter struct {
	client  redis.UniversalClient
	options Options
	spent   *spentKeys

	all *gatherer // of a single server's callers
	// Of a Cluster's: by node, so that one that is slow does not hold up callers of
	// the others.
	cluster *redis.ClusterClient
	located atomic.Bool // the Cluster's nodes are known
	nodes   sync.Map    // *redis.Client → *gatherer
}

var _ ratelimit.Limiter = (*Limiter)(nil)

// New returns a Limiter that sends through client, which stays the caller's to
// close. The limiter's commands are never retried by the client; the limiter tries
// again what was provably not run. A context cuts a call short while it waits for
// others; once it is under way alone, only the context's deadline does, and only
// if the client has ContextTimeoutEnabled.
func New(client redis.UniversalClient, o Options) *Limiter {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Limiter{client: client, options: o, spent: newSpentKeys(o.Spent, o.Now)}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		l.cluster = cluster
		l.options.HashTag = true // a script's keys must lie in one slot
	}
	node, _ := client.(*redis.Client)
	l.all = l.newGatherer(node)
	return l
}

// newGatherer makes a gatherer of the callers of a server; node is nil if that is not
// known.
func (l *Limiter) newGatherer(node *redis.Client) *gatherer {
	return &gatherer{limiter: l, clock: newClock(l.options.Now), overdue: overdue, pace: newPace(node)}
}

// gathererOf returns that of the server which is believed to hold key. When it is
// another, the client is told so and follows.
func (l *Limiter) gathererOf(ctx context.Context, key string) *gatherer {
	if l.cluster == nil {
		return l.all
	}
	node, err := l.cluster.MasterForKey(ctx, "{"+key+"}")
	if err != nil {
		return l.all // asking will meet the error again
	}
	if !l.located.Load() {
		l.located.Store(true)
	}
	if g, known := l.nodes.Load(node); known {
		return g.(*gatherer)
	}
	g, _ := l.nodes.LoadOrStore(node, l.newGatherer(node))
	return g.(*gatherer)
}

// locate is gathererOf by the deadline, if there is one. Only while nothing is known
// of a Cluster can that take longer: its nodes are then asked, one after the other.
func (l *Limiter) locate(ctx context.Context, deadline time.Time, key string) *gatherer {
	if l.cluster != nil && !l.located.Load() && !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	return l.gathererOf(ctx, key)
}

// Forget drops what is remembered of a Cluster's node, which should be done once it has
// left the Cluster: the limiter cannot know, and would keep its client for good. Callers
// under way are not concerned, and the node may come back.
func (l *Limiter) Forget(node *redis.Client) { l.nodes.Delete(node) }

// Take implements [ratelimit.Limiter]. Beside that contract's errors, its own
// wrap the error of Redis (redis.Error), the network or the context, or
// [ErrReply], [ErrWindow] or [ErrBusy].
func (l *Limiter) Take(ctx context.Context, key string, limit ratelimit.Limit, n int64) (ratelimit.Decision, error) {
	o, err := l.take(ctx, question{key: key, limit: limit}, n)
	return o.Decision, err
}

// Peek answers as [Limiter.Take] would now, and takes nothing. It runs no script, so
// that a user of Redis who may only read can look. The error is as for Take.
func (l *Limiter) Peek(ctx context.Context, key string, limit ratelimit.Limit, n int64) (ratelimit.Decision, error) {
	if err := checkPermits(n); err != nil {
		return ratelimit.Decision{}, err
	}
	s := l.lookAt(ctx, key, limit)
	if s.err != nil {
		return ratelimit.Decision{}, s.err
	}
	_, d := limit.Decide(s.state, n, s.now)
	return d, nil
}

// Usage tells how key stands under limit. It takes nothing and runs no script. The
// error is as for Take.
func (l *Limiter) Usage(ctx context.Context, key string, limit ratelimit.Limit) (ratelimit.Usage, error) {
	s := l.lookAt(ctx, key, limit)
	return s.usage(), s.err
}

// A Subject is a key and the limit that it is under.
type Subject struct {
	Key   string
	Limit ratelimit.Limit
}

// Usages tells how many keys stand, in their order, at the cost of one round trip
// for all that lie on the same server (two in a Cluster). The error is the first,
// and is as for Take.
func (l *Limiter) Usages(ctx context.Context, subjects []Subject) ([]ratelimit.Usage, error) {
	usages, errs := l.UsageOfEach(ctx, subjects)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return usages, nil
}

// UsageOfEach is Usages with an error for each key, nil where there is none: one
// that is an [ErrState] says nothing of the other keys.
func (l *Limiter) UsageOfEach(ctx context.Context, subjects []Subject) ([]ratelimit.Usage, []error) {
	usages, errs := make([]ratelimit.Usage, len(subjects)), make([]error, len(subjects))
	sights := l.look(ctx, subjects)
	for i := range sights {
		usages[i], errs[i] = sights[i].usage(), sights[i].err
	}
	return usages, errs
}

// Try finds out whether permits can be taken now: it takes one of key, which should
// be no client's, and compares guard, whatever comes of either. It waits behind no
// other caller, and Options.Observe is not told. It leaves nothing behind, unless the
// user of Redis may not delete: then a counter, until the limit's window is over.
// Cost: one round trip. The error is as for Take.
func (l *Limiter) Try(ctx context.Context, guard Guard, key string, limit ratelimit.Limit) error {
	if err := limit.Validate(); err != nil {
		return err
	}
	taking := &call{question: question{key: key, limit: limit}, n: 1, trial: true}
	comparing := &call{question: question{key: key, limit: limit, guard: guard, guarded: true}, trial: true}
	forgetting := &call{question: question{key: key, limit: limit}, reset: true, trial: true}
	calls := []*call{taking, comparing, forgetting}
	g := l.gathererOf(ctx, key)
	l.settle(ctx, g.clock, calls)
	g.mu.Lock()
	g.heard(calls, l.options.Timeout)
	g.mu.Unlock()
	return cmp.Or(taking.err, comparing.err)
}

// Reset forgets what was taken and refused of key under the limit's algorithm, as
// if nothing had been, with FixedWindow in the current window. The error is as for
// Take; Reset may be repeated.
func (l *Limiter) Reset(ctx context.Context, key string, limit ratelimit.Limit) error {
	defer l.spent.forget(key)
	return l.alone(ctx, &call{question: question{key: key, limit: limit}, reset: true})
}

// alone makes a call that shares its round trip with nobody.
func (l *Limiter) alone(ctx context.Context, c *call) error {
	if err := c.limit.Validate(); err != nil {
		return err
	}
	l.settle(ctx, l.gathererOf(ctx, c.key).clock, []*call{c})
	return c.err
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
	// Local says that the refusal came from memory: Redis was not asked. See
	// Options.Spent.
	Local bool
}

// TakeIf is [Limiter.Take] on the condition that the guard's key holds the
// expected bytes. Comparing and taking are one atomic step at the cost of Take.
// A guard that is not a string is an error of Redis.
func (l *Limiter) TakeIf(ctx context.Context, guard Guard, key string, limit ratelimit.Limit, n int64) (Outcome, error) {
	return l.take(ctx, question{key: key, limit: limit, guard: guard, guarded: true}, n)
}

// Holds asks only whether the guard's key holds the expected bytes, and takes
// nothing: the outcome's Decision is zero. It shares its round trip with the callers
// of TakeIf beside it, and with the same key, limit and guard even the script's run.
// The error is as for Take.
func (l *Limiter) Holds(ctx context.Context, guard Guard, key string, limit ratelimit.Limit) (Outcome, error) {
	if err := limit.Validate(); err != nil {
		return Outcome{}, err
	}
	return l.ask(ctx, question{key: key, limit: limit, guard: guard, guarded: true}, 0)
}

func (l *Limiter) take(ctx context.Context, q question, n int64) (Outcome, error) {
	if err := checkPermits(n); err != nil {
		return Outcome{}, err
	}
	if err := q.limit.Validate(); err != nil {
		return Outcome{}, err
	}
	if n == 1 {
		if d, ok := l.spent.refuse(q); ok {
			return Outcome{Decision: d, Local: true}, nil
		}
	}
	return l.ask(ctx, q, n)
}

// ask puts a question, again if that is worth it.
func (l *Limiter) ask(ctx context.Context, q question, n int64) (Outcome, error) {
	deadline, _ := ctx.Deadline()
	if l.options.Timeout > 0 {
		if at := time.Now().Add(l.options.Timeout); deadline.IsZero() || at.Before(deadline) {
			deadline = at
		}
	}
	g := l.locate(ctx, deadline, q.key)
	for tried := again(0); ; tried++ {
		o, err := g.ask(ctx, deadline, q, n)
		if err == nil || !tried.worth(ctx, deadline, err) {
			return o, err
		}
	}
}

func checkPermits(n int64) error {
	if n < 1 || n > ratelimit.MaxPermits {
		return fmt.Errorf("%w: %d, want 1 to %d", ratelimit.ErrPermits, n, int64(ratelimit.MaxPermits))
	}
	return nil
}
