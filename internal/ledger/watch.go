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

// watchEvery is how often Redis is looked at, so how stale [Ledger.Ready] can be.
const watchEvery = 500 * time.Millisecond

var errNotSeenYet = errors.New("redis has not been reached yet")

// state is what the last look at Redis found.
type state struct {
	last     atomic.Pointer[error]     // nil before the first look
	answered atomic.Pointer[time.Time] // the last look that was, nil before
}

// Ready is nil while Redis grants permits, and in local mode as long after as there
// can be keys to serve; else it is the reason why the gateway cannot serve. In a
// Cluster it is nil while one of the masters does: the others' keys would fare no
// better at another gateway. It asks nobody: the answer is that of the last look, at
// most half a second ago (plus the time-out, when Redis hangs).
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

// Watch looks at Redis until ctx ends, and logs when it goes, each minute while it
// is away, and when it comes back.
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
		l.redis.Logger.Error("only keys that redis settled a request of lately are served",
			"why", storage.Sentence(err), "addr", addrs, "kind", storage.Kind(err), "err", err)
	case due && l.local != nil:
		l.redis.Logger.Error("redis does not answer: only keys that it settled a request of lately are served",
			"addr", addrs, "kind", storage.Kind(err), "err", err)
	case lost && !errors.Is(err, storage.ErrRefused):
		l.redis.Logger.Error("requests get 503 until redis answers", "addr", addrs, "kind", storage.Kind(err), "err", err)
	case due:
		l.redis.Logger.Error("requests get 503", "why", storage.Sentence(err), "addr", addrs, "kind", storage.Kind(err), "err", err)
	case err == nil && before != nil && *before != nil:
		l.redis.Logger.Info("redis answers again", "addr", addrs)
	case part != nil && l.gripes.due(storage.Kind(part)):
		l.redis.Logger.Error("requests of some keys get 503, for one of the cluster's masters fails",
			"why", storage.Sentence(part), "kind", storage.Kind(part), "err", part)
	}
	if l.opts.Watched != nil {
		l.opts.Watched(err == nil && part == nil)
	}
}

// again is after how long a trouble that lasts is complained of again.
const again = time.Minute

// gripes remembers when each kind of trouble was last complained of.
type gripes struct {
	now  func() time.Time
	mu   sync.Mutex
	last map[string]time.Time // kinds are few
}

// due reports whether a kind of trouble should be complained of now.
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

// alone is told when requests begin to be served without Redis, and when that ends.
func (l *Ledger) alone(on bool) {
	if on {
		l.redis.Logger.Warn("requests are served without redis: known keys by this instance's share of their limits, others get 503",
			"grace", l.opts.Grace.String(), "instances", l.opts.Instances)
	} else {
		l.redis.Logger.Info("requests are served through redis again")
	}
	l.opts.Events.Alone(on)
}

// maxTold bounds the keys whose records were complained of.
const maxTold = 10_000

// onceEach remembers which keys have been complained of, so that a broken
// record under load fills no disk. Once full it forgets all and starts over.
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
