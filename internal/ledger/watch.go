package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
)

// watchEvery is how often Redis is checked, and so how stale [Ledger.Ready] can be.
const watchEvery = 500 * time.Millisecond

var errNotSeenYet = errors.New("redis has not answered yet")

// state is what the last look at Redis found.
type state struct {
	last     atomic.Pointer[error]     // nil before the first look
	answered atomic.Pointer[time.Time] // the last look that was, nil before
}

// Ready is nil while Redis grants permits, and in local mode for the grace period after
// that; otherwise it says why the gateway cannot serve. In a Cluster one working master
// is enough: another gateway could not serve the other masters' keys either. Ready sends
// nothing: it reports the last check, made at most half a second ago (plus the timeout,
// when Redis hangs).
func (l *Ledger) Ready() error {
	last := l.state.last.Load()
	if last == nil {
		return errNotSeenYet
	}
	if answered := l.state.answered.Load(); *last != nil && l.local != nil && answered != nil && l.now().Sub(*answered) <= l.opts.Grace {
		return nil
	}
	return *last
}

// Watch checks Redis until ctx ends. It logs when Redis goes down, once a minute while
// it is down, and when it is back.
func (l *Ledger) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *Ledger) look(ctx context.Context) {
	err, part := l.trial(ctx)
	l.store.Recheck(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		l.state.answered.Store(new(l.now()))
	}
	before := l.state.last.Swap(&err)
	addrs := strings.Join(l.redis.Addrs, ",")
	lost := err != nil && (before == nil || *before == nil)
	due := err != nil && l.gripes.due(storage.Kind(err)) || lost // both are asked: what is said now is not due again
	switch {
	case due && l.local != nil && errors.Is(err, storage.ErrRefused):
		l.redis.Logger.Error("redis refuses requests: serving only recently seen keys",
			"why", storage.Sentence(err), "addr", addrs, "kind", storage.Kind(err), "err", err)
	case due && l.local != nil:
		l.redis.Logger.Error("redis is down: serving only recently seen keys",
			"addr", addrs, "kind", storage.Kind(err), "err", err)
	case lost && !errors.Is(err, storage.ErrRefused):
		l.redis.Logger.Error("redis is down: requests get 503", "why", storage.Sentence(err), "addr", addrs, "kind", storage.Kind(err), "err", err)
	case due:
		l.redis.Logger.Error("requests get 503", "why", storage.Sentence(err), "addr", addrs, "kind", storage.Kind(err), "err", err)
	case err == nil && before != nil && *before != nil:
		l.redis.Logger.Info("redis answers again", "addr", addrs)
	case part != nil && l.gripes.due(storage.Kind(part)):
		l.redis.Logger.Error("a master of the cluster fails: requests for its keys get 503",
			"why", storage.Sentence(part), "kind", storage.Kind(part), "err", part)
	}
	if l.opts.Watched != nil {
		l.opts.Watched(err == nil && part == nil)
	}
}

// again is how often the same trouble is logged while it lasts.
const again = time.Minute

// gripes remembers when each kind of trouble was last logged.
type gripes struct {
	now  func() time.Time
	mu   sync.Mutex
	last map[string]time.Time // kinds are few
}

// due reports whether a kind of trouble should be logged now.
func (g *gripes) due(kind string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if last, told := g.last[kind]; told && now.Sub(last) < again {
		return false
	}
	g.last[kind] = now
	return true
}

// alone logs and counts when local mode begins and when it ends.
func (l *Ledger) alone(on bool) {
	if on {
		l.redis.Logger.Warn("serving without redis: known keys get this instance's share of their limits, others get 503",
			"grace", l.opts.Grace.String(), "instances", l.opts.Instances)
	} else {
		l.redis.Logger.Info("serving through redis again")
	}
	l.opts.Events.Alone(on)
}

// maxTold bounds the keys that onceEach remembers.
const maxTold = 10_000

// onceEach remembers which keys have been logged, so that a broken record under load
// does not fill the disk. When it is full, it forgets them all and starts over.
type onceEach struct {
	mu   sync.Mutex
	max  int
	told map[string]struct{}
}

func newOnceEach(size int) *onceEach { return &onceEach{max: size, told: map[string]struct{}{}} }

func (o *onceEach) first(apiKey string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, told := o.told[apiKey]; told {
		return false
	}
	if len(o.told) >= o.max {
		clear(o.told)
	}
	o.told[apiKey] = struct{}{}
	return true
}
