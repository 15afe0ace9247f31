package redislimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// ErrBusy is wrapped by the error for a call that found too many others waiting
// for Redis. Nothing was taken.
var ErrBusy = errors.New("redislimit: too many callers wait")

const (
	// maxInFlight bounds the exchanges that a gatherer has under way, unless Redis is
	// slow but steady; see pace.
	maxInFlight = 4
	// overdue is after how long an exchange counts as slow: callers who come later do
	// not wait for it. Until then they meet, which is what makes them cheap.
	overdue = 500 * time.Microsecond
	// maxBatch bounds the callers that share an exchange, and so how long Redis is
	// busy with one.
	maxBatch = 512
	// maxWaiting bounds the callers that wait for an exchange to return.
	maxWaiting = 16 * maxBatch
	// patience is how long a caller waits before it looks out for its context's end.
	// Asking for that may cost more than the answer, and most answers are there sooner.
	patience = 10 * time.Millisecond
)

// A gatherer lets concurrent callers share exchanges with one Redis server.
//
// A caller that finds none under way sends at once, in its own goroutine. One that
// does waits until it returns; then all who wait go out together, those with the
// same question as one call. So nobody waits for company: a lonely caller pays
// nothing, and the busier Redis is, the more callers share a trip. An exchange that
// is slow does not hold up the rest: a later caller sends those who wait beside it.
type gatherer struct {
	limiter *Limiter // which sends
	clock   *clock

	overdue time.Duration
	mu      sync.Mutex
	pace
	inFlight int
	begun    time.Time // when the last exchange was sent
	waiting  []*waiter
}

// A question is what callers may have in common: those with the same one are
// asked for in one call.
type question struct {
	key     string
	limit   ratelimit.Limit
	guard   Guard
	guarded bool
}

// A waiter is a caller in the queue.
type waiter struct {
	question
	n     int64
	state atomic.Int32
	done  chan struct{} // has room for one, so that waking never waits
	timer *time.Timer   // of the deadline, or of what to do before
	pause time.Duration // before it looks around

	call  *call // what it became part of, to be read once it is done
	ahead int64 // permits that callers before it ask for in the same call
}

const (
	queued int32 = iota
	sent         // its permits may be taken, whether it stays or not
	gone         // by its context's end; nothing was sent for it
)

var waiters = sync.Pool{New: func() any {
	w := &waiter{done: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}}

// ask puts a question and returns the answer for n permits. The deadline, if there
// is one, cuts short the waiting and the caller's own exchange, never one that others
// share; the end of ctx cuts short the waiting alone.
func (g *gatherer) ask(ctx context.Context, deadline time.Time, q question, n int64) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, fmt.Errorf("redislimit: %w", err)
	}
	w, err := g.enter(q, n)
	if err != nil {
		return Outcome{}, err
	}
	if w == nil {
		c := &call{question: q, n: n}
		calls := []*call{c}
		defer g.leave(calls)
		if !deadline.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
			defer cancel()
		}
		g.limiter.settle(ctx, g.clock, calls)
		return c.outcome(0, n)
	}
	if err := g.wait(ctx, deadline, w); err != nil {
		return Outcome{}, fmt.Errorf("redislimit: %w", err)
	}
	o, err := w.call.outcome(w.ahead, n)
	w.call = nil
	waiters.Put(w)
	return o, err
}

// wait returns when the call that w became part of is done. On an error w must not
// be used again: whoever sends may still hold it.
func (g *gatherer) wait(ctx context.Context, deadline time.Time, w *waiter) (err error) {
	w.timer.Reset(min(w.pause, until(deadline))) // a context of its own would cost eight allocations
	defer w.timer.Stop()
	select {
	case <-w.done:
		return nil
	case <-w.timer.C:
	}
	for err == nil {
		pause, left := g.nudge(w), until(deadline)
		w.timer.Reset(min(pause, left))
		select {
		case <-w.done:
			return nil
		case <-w.timer.C:
			if left <= pause {
				err = context.DeadlineExceeded
			}
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	w.state.CompareAndSwap(queued, gone)
	return err
}

// until is the time until the deadline, if there is one.
func until(deadline time.Time) time.Duration {
	if deadline.IsZero() {
		return math.MaxInt64
	}
	return time.Until(deadline)
}

// enter returns nil to a caller that may send, and must then leave; the others
// are queued. Nobody sends alone to a slow Redis: what is left of a caller's time may be
// less than a round trip, and would cost the connection.
func (g *gatherer) enter(q question, n int64) (*waiter, error) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight == 0 && !g.slow() {
		g.inFlight, g.begun = 1, now
		return nil, nil
	}
	if len(g.waiting) >= maxWaiting {
		return nil, fmt.Errorf("%w: %d already", ErrBusy, maxWaiting)
	}
	w := waiters.Get().(*waiter)
	w.question, w.n = q, n
	w.state.Store(queued)
	g.waiting = append(g.waiting, w)
	g.further(now)
	w.pause = min(patience, g.pause(now))
	return w, nil
}

// leave gives the place of an exchange that has returned to those who wait.
func (g *gatherer) leave(calls []*call) {
	if batch := g.next(nil, calls); batch != nil {
		go g.flush(batch)
	}
}

// flush sends those who wait until nobody does.
func (g *gatherer) flush(batch []*waiter) {
	for batch != nil {
		calls := g.exchange(batch)
		runtime.Gosched()
		batch = g.next(batch, calls)
	}
}

// next takes the callers of the next exchange off the queue, into the memory of
// the last one, which was of these calls. With nobody waiting it gives the place up and
// returns nil; and so where there is no room for the place any longer, or where
// another exchange has just been sent and Redis is slow.
func (g *gatherer) next(batch []*waiter, calls []*call) []*waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(calls) > 0 {
		g.heard(calls, g.limiter.options.Timeout)
	}
	if len(g.waiting) == 0 || g.inFlight > g.places() || g.crowded() {
		g.inFlight--
		return nil
	}
	return g.batch(batch)
}

// batch takes them. It is called with the lock held.
func (g *gatherer) batch(batch []*waiter) []*waiter {
	g.begun = time.Now()
	n := min(len(g.waiting), maxBatch)
	batch = append(batch[:0], g.waiting[:n]...)
	rest := copy(g.waiting, g.waiting[n:])
	clear(g.waiting[rest:])
	g.waiting = g.waiting[:rest]
	return batch
}

// exchange makes the calls of those in the batch who have stayed.
func (g *gatherer) exchange(batch []*waiter) []*call {
	calls := gather(batch)
	if len(calls) > 0 {
		ctx, cancel := g.context()
		g.limiter.settle(ctx, g.clock, calls)
		cancel()
	}
	for i, w := range batch {
		batch[i] = nil
		if w.call != nil {
			w.done <- struct{}{}
		}
	}
	return calls
}

// gather makes one call of each question, in the order of arrival.
func gather(batch []*waiter) []*call {
	var calls []*call
	var last *call
	earlier := make(map[question]*call) // than the last
	for _, w := range batch {
		if !w.state.CompareAndSwap(queued, sent) {
			continue
		}
		c := last
		if c == nil || c.question != w.question {
			c = earlier[w.question]
		}
		if c == nil || c.n > ratelimit.MaxPermits-w.n {
			if last != nil {
				earlier[last.question] = last
			}
			c = &call{question: w.question}
			calls, last = append(calls, c), c
		}
		w.call, w.ahead = c, c.n
		c.n += w.n
		c.callers++
	}
	return calls
}

// context is that of an exchange which several callers share.
func (g *gatherer) context() (context.Context, context.CancelFunc) {
	if g.limiter.options.Timeout <= 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), g.limiter.options.Timeout)
}

// outcome is what the caller gets that asked for n of the call's permits, after
// those ahead of it, or with 0 for none.
func (c *call) outcome(ahead, n int64) (Outcome, error) {
	switch {
	case c.err != nil:
		return Outcome{}, c.err
	case c.reply.status == guardChanged:
		return Outcome{Changed: true, Current: c.reply.current, Exists: c.reply.exists}, nil
	case n == 0:
		return Outcome{}, nil
	}
	return Outcome{Decision: c.decision(ahead, n)}, nil
}
