// Package redislimit shares the limits of package ratelimit between processes
// through Redis 7.0 or later: standalone, Sentinel or Cluster.
//
// It is exact. However many processes take from a key, and however much their clocks
// differ, a window grants exactly its permits, if that many are requested; the same
// holds for the other algorithms. Redis decides, by its own clock, in one atomic
// script, and the limiter checks the result against [ratelimit.Limit.Decide]. The
// name of a fixed window's counter contains the window's start, and Redis Cluster
// requires names in advance: the limiter guesses the start from the caller's clock,
// and the script rejects a wrong guess and returns the time.
//
// It is cheap under load. Callers that find Redis busy share one pipeline, and
// identical calls become one, with no timer and no background goroutine.
// Optionally, it refuses keys that have no permits left from memory.
//
// This package knows no HTTP and holds no permits: it grants none without Redis.
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

// DefaultPrefix is the default of [Options].Prefix.
const DefaultPrefix = "rate_count:"

// ErrWindow is wrapped by the error of a call that found Redis in another window than
// the one it named, on every try. Nothing was taken. It happens when a round trip
// takes about as long as the window, or when Redis's clock jumps.
var ErrWindow = errors.New("redislimit: window missed")

// tries bounds the names that one call proposes. A name can be wrong again when
// a boundary passed since the last reply, or when that reply took so much longer
// than the next command that it points past one.
const tries = 5

// refusedPrefix begins the name of every counter of refused permits; a Prefix of
// the caller's own comes after it.
const refusedPrefix = "rate_refused:"

// Options configure a [Limiter]. The zero value is ready to use.
type Options struct {
	// Prefix is the start of every counter's name; empty means DefaultPrefix.
	Prefix string
	// HashTag wraps keys in braces, so that a key's whole state lies in one slot of a
	// Redis Cluster, together with all Redis keys that have {key} in their names. With
	// HashTag, the name of TakeIf's guard must contain it too. With a Cluster's client,
	// HashTag is always on.
	HashTag bool
	// Spent is the maximum number of keys without permits that the limiter remembers,
	// rounded up to a multiple of 16. It refuses these keys without asking Redis until
	// permits come back, for at most one second. So for a key that is being refused, a
	// raised limit, a reset or a changed guard can go unnoticed for one second. With 0
	// the limiter always asks Redis.
	Spent int
	// Timeout bounds each Take, TakeIf and Holds, including waiting, round trips and
	// retries, and each round trip that callers share; with 0 only the client's own
	// time-outs apply. A caller's context bounds only that caller's wait.
	Timeout time.Duration
	// Observe, if set, is called after every round trip. It must be quick.
	Observe func(Exchange)
	// Now is the local clock; nil means time.Now. It may be wrong: the limiter learns
	// Redis's time from the replies.
	Now func() time.Time
}

// CounterKey returns the Redis key that counts the permits granted to key in the
// window that starts at start: <prefix><key>:<start in Unix seconds>. Its value
// is a decimal integer; the key does not exist until a permit is requested.
func (o Options) CounterKey(key string, start time.Time) string {
	prefix := o.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return o.name("", prefix, key, start)
}

// RefusedKey returns the Redis key that counts the permits refused to key in the
// window that starts at start: rate_refused:<key>:<start in Unix seconds>, with
// Options.Prefix, if set, before <key>. It lives as long as the counter. For a zero
// start it returns the key that the other algorithms use, rate_refused:<key>, which
// counts for one Window from the first refusal.
func (o Options) RefusedKey(key string, start time.Time) string {
	return o.name(refusedPrefix, o.Prefix, key, start)
}

// StateKey returns the Redis key that holds the state of key under an algorithm,
// with Options.Prefix, if set, before <key>:
//
//	rate_sliding:<key>  SlidingWindow: a hash of window (its start in Unix seconds), current and previous
//	rate_bucket:<key>   TokenBucket: when the bucket is full again, in Unix microseconds
//	rate_queue:<key>    LeakyBucket: when the queue is empty again, in Unix microseconds
//
// The key exists only while its value matters. For any other algorithm StateKey
// returns "": FixedWindow uses CounterKey.
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

// A Limiter is a [ratelimit.Limiter] that keeps its state in Redis. It is safe for
// concurrent use; all callers of a process should share one. A call costs one round
// trip, which it may share with other calls. It costs two if Redis does not know the
// script yet, or if the limiter guessed the window of a FixedWindow wrong: on the
// first call, or around a window's end.
type Limiter struct {
	client  redis.UniversalClient
	options Options
	spent   *spentKeys

	all *gatherer // of a single server's callers
	// Of a Cluster's: by node, so that one that is slow does not hold up callers of
	// the others. Nodes that leave stay here, a few bytes each.
	cluster *redis.ClusterClient
	located atomic.Bool // the Cluster's nodes are known
	nodes   sync.Map    // *redis.Client → *gatherer
}

var _ ratelimit.Limiter = (*Limiter)(nil)

// New returns a Limiter that uses client. The caller must close client. The client
// never retries the limiter's commands; the limiter retries only those that provably
// did not run. The end of a context interrupts a call that waits for a shared round
// trip. A round trip of its own ends early only at the context's deadline, and only
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
	l.all = l.newGatherer()
	return l
}

func (l *Limiter) newGatherer() *gatherer {
	return &gatherer{limiter: l, clock: newClock(l.options.Now), overdue: overdue}
}

// gathererOf returns the gatherer of the server that is believed to hold key. If
// another server holds it, the client follows the redirection.
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
	g, _ := l.nodes.LoadOrStore(node, l.newGatherer())
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

// Take implements [ratelimit.Limiter]. Its other errors wrap an error of Redis
// (redis.Error), of the network or of the context, or [ErrReply], [ErrWindow] or
// [ErrBusy].
func (l *Limiter) Take(ctx context.Context, key string, limit ratelimit.Limit, n int64) (ratelimit.Decision, error) {
	o, err := l.take(ctx, question{key: key, limit: limit}, n)
	return o.Decision, err
}

// Peek returns the decision that [Limiter.Take] would return now, and takes nothing.
// It runs no script, so a read-only Redis user is enough. The error is as for Take.
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

// Usage returns how key stands under limit. It takes nothing and runs no script. The
// error is as for Take.
func (l *Limiter) Usage(ctx context.Context, key string, limit ratelimit.Limit) (ratelimit.Usage, error) {
	s := l.lookAt(ctx, key, limit)
	return s.usage(), s.err
}

// A Subject is a key and its limit.
type Subject struct {
	Key   string
	Limit ratelimit.Limit
}

// Usages returns how each of several keys stands, in the order of subjects. It costs
// one round trip for all keys on the same server (two in a Cluster). The error is
// the first that occurs, and is as for Take.
func (l *Limiter) Usages(ctx context.Context, subjects []Subject) ([]ratelimit.Usage, error) {
	usages, errs := l.UsageOfEach(ctx, subjects)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return usages, nil
}

// UsageOfEach is Usages with an error for each key, nil if there is none. An
// [ErrState] concerns its own key alone.
func (l *Limiter) UsageOfEach(ctx context.Context, subjects []Subject) ([]ratelimit.Usage, []error) {
	usages, errs := make([]ratelimit.Usage, len(subjects)), make([]error, len(subjects))
	sights := l.look(ctx, subjects)
	for i := range sights {
		usages[i], errs[i] = sights[i].usage(), sights[i].err
	}
	return usages, errs
}

// Try checks whether permits can be taken now: it takes a permit of key and compares
// guard, and ignores both results. Use a key that no client has. Try waits for no
// other caller and does not call Options.Observe. It deletes what it wrote; if the
// Redis user may not delete, a counter stays until the limit's window is over.
// Cost: one round trip. The error is as for Take.
func (l *Limiter) Try(ctx context.Context, guard Guard, key string, limit ratelimit.Limit) error {
	if err := limit.Validate(); err != nil {
		return err
	}
	taking := &call{question: question{key: key, limit: limit}, n: 1, trial: true}
	comparing := &call{question: question{key: key, limit: limit, guard: guard, guarded: true}, trial: true}
	forgetting := &call{question: question{key: key, limit: limit}, reset: true, trial: true}
	l.settle(ctx, l.gathererOf(ctx, key).clock, []*call{taking, comparing, forgetting})
	return cmp.Or(taking.err, comparing.err)
}

// Reset forgets all permits taken and refused for key under the limit's algorithm;
// with FixedWindow, those of the current window. The error is as for Take, but a
// Reset may be repeated.
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

// A Guard is a Redis key and the exact bytes that it is expected to hold. In a Redis
// Cluster the key must lie in the counter's slot; see Options.HashTag.
type Guard struct {
	Key   string
	Value string
}

// An Outcome is the answer to [Limiter.TakeIf].
type Outcome struct {
	// Decision is the decision under the limit; zero if Changed.
	Decision ratelimit.Decision
	// Changed reports that the guard did not hold the expected bytes. Nothing was
	// taken or written.
	Changed bool
	// Current is what the guard held instead, and Exists reports whether the guard's
	// key existed. Both are set only if Changed.
	Current string
	Exists  bool
	// Local reports that the refusal came from memory, without asking Redis. See
	// Options.Spent.
	Local bool
}

// TakeIf is [Limiter.Take] on condition that the guard's key holds the expected
// bytes. It compares and takes in one atomic step, and costs as much as Take. If the
// guard is not a Redis string, the error is one of Redis.
func (l *Limiter) TakeIf(ctx context.Context, guard Guard, key string, limit ratelimit.Limit, n int64) (Outcome, error) {
	return l.take(ctx, question{key: key, limit: limit, guard: guard, guarded: true}, n)
}

// Holds checks whether the guard's key holds the expected bytes, and takes nothing:
// the outcome's Decision is zero. It shares round trips with concurrent callers of
// TakeIf, and with those of the same key, limit and guard even the script's run. The
// error is as for Take.
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

// ask asks Redis, and retries if that is safe and likely to help.
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
