package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// calm is how long Redis must have served requests before local mode is over.
const calm = time.Second

// local serves requests by what this process knows, while Redis cannot: keys that
// Redis has settled a request of within the grace, each with this instance's
// share of its limit, and with no more in the current window than was left of it.
type local struct {
	grace     time.Duration
	instances int64
	now       func() time.Time
	shares    ratelimit.Limiter
	heard     *table[*heard]
	changed   func(on bool) // called with the lock held, so in order

	mu   sync.Mutex
	on   bool
	last time.Time // when a request was served locally
}

// heard is what Redis last said of a key.
type heard struct {
	mu    sync.Mutex
	rec   *Record
	at    time.Time
	left  int64
	until time.Time // when left is over
}

// settled takes in Redis's answer to a request that was sent at sent.
func (l *local) settled(apiKey string, rec *Record, d ratelimit.Decision, sent time.Time) {
	h := l.heard.get(apiKey)
	if h == nil {
		h = &heard{}
		l.heard.put(apiKey, h)
	}
	h.mu.Lock()
	h.rec, h.at, h.left, h.until = rec, sent, d.Remaining, sent.Add(d.Reset)
	h.mu.Unlock()
	l.calm()
}

// serve settles a request without Redis. It reports false for a key that it
// knows too little of.
func (l *local) serve(ctx context.Context, apiKey string, authorise func(*Record) error) (Permit, bool, error) {
	h := l.heard.get(apiKey)
	if h == nil {
		return Permit{}, false, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := l.now()
	share := l.share(h.rec.Limit)
	if now.Sub(h.at) > l.grace || share.Validate() != nil || share.Permits == 0 && h.rec.Limit.Permits > 0 {
		return Permit{}, false, nil
	}
	l.enter(now)
	permit := Permit{Record: h.rec}
	if err := authorise(h.rec); err != nil {
		return permit, true, err
	}
	counting := now.Before(h.until)
	if counting && h.left <= 0 {
		wait := h.until.Sub(now)
		permit.Decision = ratelimit.Decision{Limit: share, Reset: wait, RetryAfter: wait}
		return permit, true, nil
	}
	d, err := l.shares.Take(ctx, apiKey, share, 1)
	if err != nil {
		return permit, true, err
	}
	if counting {
		h.left -= d.Granted
		d.Remaining = min(d.Remaining, h.left)
	}
	permit.Decision = d
	return permit, true, nil
}

// share is this instance's part of a limit, rounded down: together the instances
// stay within the whole.
func (l *local) share(limit ratelimit.Limit) ratelimit.Limit {
	limit.Permits /= l.instances
	if limit.Burst > 0 {
		limit.Burst = max(limit.Burst/l.instances, 1)
	}
	return limit
}

func (l *local) enter(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = now
	if !l.on {
		l.on = true
		l.changed(true)
	}
}

// calm ends the mode once Redis has served for a while.
func (l *local) calm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on && l.now().Sub(l.last) >= calm {
		l.on = false
		l.changed(false)
	}
}
