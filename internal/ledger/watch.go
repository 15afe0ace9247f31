package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// watchEvery is how often Redis is looked at, so how stale [Ledger.Ready] can be.
const watchEvery = 500 * time.Millisecond

var errNotSeenYet = errors.New("redis has not been reached yet")

// state is what the last look at Redis found.
type state struct {
	last     atomic.Pointer[error]     // nil before the first look
	answered atomic.Pointer[time.Time] // the last look that was, nil before
}

// Ready is nil while Redis answers, and in local mode as long after as there can
// be keys to serve; else it is the reason why the gateway cannot serve. It asks
// nobody: the answer is that of the last look, at most half a second ago (plus
// the time-out, when Redis hangs).
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

// Ping asks Redis for a sign of life, within the request's time budget.
func (l *Ledger) Ping(ctx context.Context) error {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	if err := l.find(ctx); err != nil {
		return err
	}
	start := l.now()
	err := l.at().client.Ping(ctx).Err()
	l.observe("ping", start, err)
	if err != nil {
		return l.fault("", err)
	}
	return nil
}

// Watch looks at Redis until ctx ends, and logs once when it goes and once when
// it comes back.
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
	err := l.Ping(ctx)
	l.recheck(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		l.state.answered.Store(new(l.now()))
	}
	before := l.state.last.Swap(&err)
	addrs := strings.Join(l.opts.Addrs, ",")
	lost := err != nil && (before == nil || *before == nil)
	switch {
	case lost && l.local != nil:
		l.opts.Logger.Error("redis does not answer: only keys that it settled a request of lately are served", "addr", addrs, "err", err)
	case lost:
		l.opts.Logger.Error("requests get 503 until redis answers", "addr", addrs, "err", err)
	case err == nil && before != nil && *before != nil:
		l.opts.Logger.Info("redis answers again", "addr", addrs)
	}
	if l.opts.Watched != nil {
		l.opts.Watched(err == nil)
	}
}

// alone is told when requests begin to be served without Redis, and when that ends.
func (l *Ledger) alone(on bool) {
	if on {
		l.opts.Logger.Warn("requests are served without redis: known keys by this instance's share of their limits, others get 503",
			"grace", l.opts.Grace.String(), "instances", l.opts.Instances)
	} else {
		l.opts.Logger.Info("requests are served through redis again")
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
