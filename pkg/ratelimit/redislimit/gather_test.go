package redislimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Callers who share calls get what they would have got one after another.
func TestGatheredCallersGetTheirOwnAnswers(t *testing.T) {
	limits := []ratelimit.Limit{
		{Permits: 30, Window: time.Minute},
		{Algorithm: ratelimit.SlidingWindow, Permits: 30, Window: time.Minute},
		{Algorithm: ratelimit.TokenBucket, Permits: 60, Window: time.Minute, Burst: 30},
		{Algorithm: ratelimit.LeakyBucket, Permits: 60, Window: time.Minute, MaxDelay: 29 * time.Second},
	}
	now := time.Unix(1_700_000_058, 0)
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var batch []*waiter
		for range 40 {
			batch = append(batch, &waiter{
				question: question{key: string('a' + rune(rng.IntN(3))), limit: limits[rng.IntN(len(limits))]},
				n:        rng.Int64N(7), // 0 asks for the guard alone
			})
		}
		together, apart := map[question]ratelimit.State{}, map[question]ratelimit.State{}
		calls := gather(batch)
		for _, c := range calls {
			q := c.question
			c.reply = answer{status: taken, now: now.UnixMicro(), before: together[q]}
			together[q], c.reply.decision = c.limit.Decide(together[q], c.n, now)
		}
		if len(calls) != len(together) {
			t.Errorf("seed %d: %d calls for %d questions", seed, len(calls), len(together))
		}
		for i, w := range batch {
			var want ratelimit.Decision
			if w.n > 0 {
				apart[w.question], want = w.limit.Decide(apart[w.question], w.n, now)
			}
			got, err := w.call.outcome(w.ahead, w.n)
			if diff := cmp.Diff(want, got.Decision); err != nil || diff != "" {
				t.Fatalf("seed %d, caller %d, take %d under %+v: %v (-alone +gathered):\n%s", seed, i, w.n, w.limit, err, diff)
			}
		}
	}
}

// A call never asks for more than Redis counts exactly.
func TestGatheredPermitsStayCountable(t *testing.T) {
	q := question{key: "k", limit: ratelimit.Limit{Permits: 5, Window: time.Minute}}
	batch := []*waiter{{question: q, n: ratelimit.MaxPermits}, {question: q, n: 1}, {question: q, n: 1}}
	calls := gather(batch)
	if len(calls) != 2 || calls[0].n != ratelimit.MaxPermits || calls[1].n != 2 {
		t.Errorf("%d calls", len(calls))
	}
}

// A crowd is a limiter over a Redis that does not answer yet, with every place
// in flight taken and callers waiting behind.
type crowd struct {
	*Limiter
	t         *testing.T
	server    *redistest.Server
	client    *redis.Client
	mu        sync.Mutex
	exchanges []Exchange
	callers   sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	c := &crowd{t: t, server: redistest.Start(t)}
	c.client = c.server.Client(t)
	c.Limiter = New(c.client, Options{Timeout: 30 * time.Second, Observe: func(x Exchange) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.exchanges = append(c.exchanges, x)
	}})
	c.all.overdue, c.all.most = 0, maxInFlight
	return c
}

// fill has one caller wait in each place in flight, with a key of its own.
func (c *crowd) fill() {
	mustTake(c.t, c.Limiter, "first", ratelimit.Limit{Permits: 1, Window: century}, 1)
	c.server.Pause()
	for i := range maxInFlight {
		c.take(c.t.Context(), fmt.Sprint("in flight ", i), 1, func(ratelimit.Decision, error) {})
		c.await("a call in flight", func() bool { return c.all.inFlight == i+1 })
	}
	c.mu.Lock()
	c.exchanges = nil
	c.mu.Unlock()
}

func (c *crowd) take(ctx context.Context, key string, permits int64, done func(ratelimit.Decision, error)) {
	c.callers.Go(func() {
		done(c.Take(ctx, key, ratelimit.Limit{Permits: permits, Window: century}, 1))
	})
}

// await polls what holds under the gatherer's lock.
func (c *crowd) await(what string, holds func() bool) {
	c.t.Helper()
	late := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		c.all.mu.Lock()
		ok := holds()
		c.all.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-late:
			c.t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func (c *crowd) waiting(n int) {
	c.t.Helper()
	c.await(fmt.Sprint(n, " callers waiting"), func() bool { return len(c.all.waiting) == n })
}

func TestWaitingCallersGoOutTogether(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.fill()
	const permits = 25
	var mu sync.Mutex
	var granted []int
	for i := range 40 { // one after the other, so that their order is known
		c.take(t.Context(), "k", permits, func(d ratelimit.Decision, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if d.Allowed() {
				granted = append(granted, i)
			}
			if want := int64(max(permits-1-i, 0)); d.Remaining != want {
				t.Errorf("caller %d has %d left, want %d", i, d.Remaining, want)
			}
		})
		c.waiting(i + 1)
	}
	c.server.Resume()
	c.callers.Wait()
	for _, i := range granted {
		if i >= permits {
			t.Errorf("caller %d got a permit, and %d came before it", i, i)
		}
	}
	if len(granted) != permits {
		t.Errorf("%d were granted, want %d", len(granted), permits)
	}
	shared := slices.DeleteFunc(c.exchanges, func(x Exchange) bool { return x.Callers == 1 })
	if len(shared) != 1 || shared[0].Callers != 40 || shared[0].Commands != 1 || shared[0].Err != nil {
		t.Errorf("exchanges %+v, want one with 40 callers and 1 command", shared)
	}
	wantCounter(t, c.client, "k", permits)
}

func TestOnlyASlowExchangeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	patience := func(d time.Duration) { c.await("", func() bool { c.all.overdue = d; return true }) }
	patience(time.Hour)
	take := func() { c.take(t.Context(), "k", 10, func(ratelimit.Decision, error) {}) }
	mustTake(t, c.Limiter, "k", ratelimit.Limit{Permits: 10, Window: century}, 1)
	c.server.Pause()
	take()
	c.await("a call in flight", func() bool { return c.all.inFlight == 1 })
	take()
	c.waiting(1)
	c.await("one exchange alone", func() bool { return c.all.inFlight == 1 })

	patience(0)
	take()
	c.await("both beside it", func() bool { return c.all.inFlight == 2 && len(c.all.waiting) == 0 })
	c.server.Resume()
	c.callers.Wait()
	wantCounter(t, c.client, "k", 4)
}

func TestACallerWhoLeavesHoldsUpNobody(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.fill()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	c.take(ctx, "k", 10, func(_ ratelimit.Decision, err error) { gone <- err })
	c.waiting(1)
	for i := range 3 {
		c.take(t.Context(), "k", 10, func(d ratelimit.Decision, err error) {
			if err != nil || !d.Allowed() {
				t.Errorf("a caller who stayed got %+v, %v", d, err)
			}
		})
		c.waiting(i + 2)
	}
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) { // while Redis still says nothing
		t.Errorf("the one who left got %v", err)
	}
	c.server.Resume()
	c.callers.Wait()
	wantCounter(t, c.client, "k", 3)
}

func TestACallerWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.fill()
	limit := ratelimit.Limit{Permits: 10, Window: century}
	_, err := c.all.ask(t.Context(), time.Now(), question{key: "k", limit: limit}, 1)
	if !errors.Is(err, context.DeadlineExceeded) { // while Redis still says nothing
		t.Errorf("a caller whose time is over got %v", err)
	}
	c.server.Resume()
	c.callers.Wait()
	c.await("an idle gatherer", func() bool { return c.all.inFlight == 0 })
	wantNoKeys(t, c.client, "*k:*")
}

func TestTheQueueIsBounded(t *testing.T) {
	g := &gatherer{limiter: new(Limiter), inFlight: maxInFlight, pace: newPace(nil)}
	for i := range maxWaiting {
		if _, err := g.enter(question{}, 1); err != nil {
			t.Fatalf("caller %d: %v", i, err)
		}
	}
	if _, err := g.enter(question{}, 1); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v, want ErrBusy", err)
	}
	taken := 0
	for batch := g.next(nil, nil); batch != nil; batch = g.next(batch, nil) {
		if len(batch) > maxBatch {
			t.Fatalf("a batch of %d", len(batch))
		}
		taken += len(batch)
	}
	if taken != maxWaiting || g.inFlight != maxInFlight-1 {
		t.Errorf("%d left the queue, and %d are in flight", taken, g.inFlight)
	}
}

// flushHook empties Redis's memory of scripts before a pipeline's first time out.
type flushHook struct {
	sendHook
	other *redis.Client
	once  sync.Once
}

func (h *flushHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.once.Do(func() { h.other.ScriptFlush(ctx) })
		return next(ctx, cmds)
	}
}

func TestFlushedScriptFailsNobodyInAPipeline(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.client.AddHook(&flushHook{other: c.server.Client(t)})
	c.fill()
	for i := range 10 {
		c.take(t.Context(), fmt.Sprint("k", i%5), 1, func(_ ratelimit.Decision, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		c.waiting(i + 1)
	}
	c.server.Resume()
	c.callers.Wait()
	for i := range 5 {
		wantCounter(t, c.client, fmt.Sprint("k", i), 1)
	}
}

// spoilHook takes the reply to a pipeline's second command for one of its own.
type spoilHook struct{ sendHook }

func (*spoilHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if second, ok := cmds[min(1, len(cmds)-1)].(charge); ok { // a new connection's greeting is a pipeline too
			second.SetVal("not a reply of the script")
		}
		return err
	}
}

func TestBehindABrokenReplyNothingIsBelieved(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.client.AddHook(new(spoilHook))
	c.fill()
	for i := range 4 {
		c.take(t.Context(), fmt.Sprint("k", i), 1, func(d ratelimit.Decision, err error) {
			if i == 0 && (err != nil || !d.Allowed()) {
				t.Errorf("before the broken reply: %+v, %v", d, err)
			}
			if i > 0 && (!errors.Is(err, ErrReply) || d.Allowed()) {
				t.Errorf("reply %d, the second is broken: %+v, %v", i, d, err)
			}
		})
		c.waiting(i + 1)
	}
	c.server.Resume()
	c.callers.Wait()
}

// An unasked context is one whose end nobody may look out for.
type unasked struct {
	context.Context
	t *testing.T
}

func (x unasked) Done() <-chan struct{} {
	x.t.Error("asked for the context's end, which may cost more than the answer")
	return x.Context.Done()
}

func TestAPromptAnswerAsksForNoContextsEnd(t *testing.T) {
	t.Parallel()
	limiter := New(redistest.Start(t).Client(t), Options{Timeout: 30 * time.Second})
	ctx := unasked{t.Context(), t}
	if _, err := limiter.Take(ctx, "k", ratelimit.Limit{Permits: 1, Window: century}, 1); err != nil {
		t.Errorf("a caller alone: %v", err)
	}
	w := waiters.Get().(*waiter)
	w.done <- struct{}{}
	w.pause = patience
	if err := limiter.all.wait(ctx, time.Time{}, w); err != nil {
		t.Errorf("a caller who waited: %v", err)
	}
}
