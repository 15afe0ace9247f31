package ledger

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// calm is how long Redis must have served requests before local mode is over.
const calm = time.Second

// local serves requests by what this process knows, while Redis cannot: keys of
// which Redis settled a request within the grace, each with this instance's share
// of its limit, and at first with no more than its share of what was left.
type local struct {
	grace     time.Duration
	instances int64
	now       func() time.Time
	seen      *table[*storage.Record] // the ledger's
	heard     *table[*heard]
	changed   func(on bool) // called with the lock held, so in order

	on   atomic.Bool
	mu   sync.Mutex
	last time.Time // when a request was served locally
}

// heard is what Redis last said of a key, and what was taken since without it.
type heard struct {
	mu    sync.Mutex
	at    time.Time
	left  int64
	alone bool // state holds what was taken without Redis
	state ratelimit.State
}

// settled takes in Redis's answer to a request that began at at.
func (l *local) settled(apiKey string, left int64, at time.Time) {
	h := l.heard.get(apiKey)
	if h == nil {
		h = &heard{}
		l.heard.put(apiKey, h)
	}
	h.mu.Lock()
	h.at, h.left, h.alone = at, left, false
	h.mu.Unlock()
	l.leave()
}

// serve settles a request without Redis. It reports false for a key of which it
// knows too little.
func (l *local) serve(apiKey string, authorise func(*storage.Record) error) (permit Permit, known bool, err error) {
	h, rec := l.heard.get(apiKey), l.seen.get(apiKey)
	if h == nil || rec == nil {
		return Permit{}, false, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := l.now()
	share, ok := l.share(rec.Limit)
	if !ok || now.Sub(h.at) > l.grace {
		return Permit{}, false, nil
	}
	l.enter(now)
	permit.Record = rec
	if err := authorise(rec); err != nil {
		return permit, true, err
	}
	if !h.alone {
		h.alone, h.state = true, share.Left(h.left/l.instances, h.at)
	}
	h.state, permit.Decision = share.Decide(h.state, 1, now)
	return permit, true, nil
}

// share is this instance's part of a limit, rounded down, so that all of them
// together stay within the whole. It reports false for a limit that is too small
// to be shared out: a refusal would show Redis's trouble as the client's.
func (l *local) share(limit ratelimit.Limit) (ratelimit.Limit, bool) {
	whole := limit
	limit.Permits /= l.instances
	limit.Burst /= l.instances
	ok := (limit.Permits > 0 || whole.Permits == 0) && (limit.Burst > 0 || whole.Burst == 0)
	return limit, ok && limit.Validate() == nil
}

func (l *local) enter(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = now
	if !l.on.Swap(true) {
		l.changed(true)
	}
}

// leave ends the mode once Redis has served for a while.
func (l *local) leave() {
	if !l.on.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on.Load() && l.now().Sub(l.last) >= calm {
		l.on.Store(false)
		l.changed(false)
	}
}
