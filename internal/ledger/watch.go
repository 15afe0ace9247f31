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
	last atomic.Pointer[error] // nil before the first look
}

// Ready is nil while Redis answers, else the reason why the gateway cannot
// serve. It asks nobody: the answer is that of the last look, at most half a
// second ago (plus the time-out, when Redis hangs).
func (l *Ledger) Ready() error {
	last := l.state.last.Load()
	if last == nil {
		return errNotSeenYet
	}
	return *last
}

// Ping asks Redis for a sign of life, within the request's time budget.
func (l *Ledger) Ping(ctx context.Context) error {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	err := l.client.Ping(ctx).Err()
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
	if ctx.Err() != nil {
		return
	}
	before := l.state.last.Swap(&err)
	addrs := strings.Join(l.opts.Addrs, ",")
	switch {
	case err != nil && (before == nil || *before == nil):
		l.opts.Logger.Error("requests get 503 until redis answers", "addr", addrs, "err", err)
	case err == nil && before != nil && *before != nil:
		l.opts.Logger.Info("redis answers again", "addr", addrs)
	}
	if l.opts.Watched != nil {
		l.opts.Watched(err == nil)
	}
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
