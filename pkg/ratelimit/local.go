package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/tykctl/tykctl/pkg/boundedmap"
)

const defaultMaxKeys = 100_000

// LocalOptions configure a [Local]. The zero value is ready to use.
type LocalOptions struct {
	// MaxKeys is the most keys that a Local remembers, rounded up to a multiple of 16;
	// 0 means 100,000. A key takes about 150 bytes plus its own length.
	MaxKeys int
	// Now is the clock; nil means time.Now. Windows are aligned to its first reading
	// and follow its monotonic reading from then on, so a step of the wall clock does
	// not move them.
	Now func() time.Time
}

// A Local is a [Limiter] that keeps its state in this process. It has no goroutine
// and needs no closing. It is safe for concurrent use. Taking from a key that it
// remembers does not allocate.
//
// A full Local evicts a key to make room for a new one. Of a few random keys it
// evicts the first that has all its permits again, or else the one that will have
// them soonest. The evicted key loses its count and starts over, as if nothing had
// been taken. So set MaxKeys above the number of keys that are busy within one
// window.
type Local struct {
	now    func() time.Time
	origin time.Time
	keys   *boundedmap.Map[localKey]
}

// A localKey is what a Local remembers of one key. Times are Unix microseconds.
type localKey struct {
	state        State
	until        int64 // when all permits are available again: the state means nothing from then on
	refused      int64
	refusedUntil int64
}

var _ Limiter = (*Local)(nil)

// NewLocal returns an empty Local.
func NewLocal(o LocalOptions) *Local {
	if o.MaxKeys <= 0 {
		o.MaxKeys = defaultMaxKeys
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Local{now: o.Now, origin: o.Now(), keys: boundedmap.New[localKey](o.MaxKeys)}
}

// Take implements [Limiter]. Its only other error is the context's.
func (l *Local) Take(ctx context.Context, key string, limit Limit, n int64) (Decision, error) {
	if n < 1 || n > MaxPermits {
		return Decision{}, fmt.Errorf("%w: %d, want 1 to %d", ErrPermits, n, int64(MaxPermits))
	}
	if err := check(ctx, limit); err != nil {
		return Decision{}, err
	}
	var d Decision
	var now int64
	l.keys.Update(key, func(k *localKey) {
		at := l.time() // under the key's lock, so that its times follow one another
		now = at.UnixMicro()
		k.state, d = limit.Decide(k.state, n, at)
		k.refuse(n-d.Granted, limit, d.Reset, now)
		k.until = now + d.Reset.Microseconds()
	}, func(k localKey) int64 { return k.until - now })
	return d, nil
}

// Usage returns how key stands under limit. It takes no permits. The error is as
// for Take.
func (l *Local) Usage(ctx context.Context, key string, limit Limit) (Usage, error) {
	if err := check(ctx, limit); err != nil {
		return Usage{}, err
	}
	k := l.keys.Get(key)
	now := l.time()
	u := limit.Usage(k.state, now)
	if now.UnixMicro() < k.refusedUntil {
		u.Refused = k.refused
	}
	return u, nil
}

// Reset forgets all permits taken and refused for key. The error is as for Take.
func (l *Local) Reset(ctx context.Context, key string, limit Limit) error {
	if err := check(ctx, limit); err != nil {
		return err
	}
	l.keys.Delete(key)
	return nil
}

func check(ctx context.Context, limit Limit) error {
	if err := limit.Validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ratelimit: %w", err)
	}
	return nil
}

func (l *Local) time() time.Time { return l.origin.Add(l.now().Sub(l.origin)) }

// refuse counts refused permits: until the window ends with FixedWindow, else for
// one Window from the first refusal.
func (k *localKey) refuse(n int64, limit Limit, reset time.Duration, now int64) {
	if n == 0 {
		return
	}
	if now >= k.refusedUntil {
		life := limit.Window
		if limit.Algorithm == FixedWindow || limit.Algorithm == "" {
			life = reset
		}
		k.refused, k.refusedUntil = 0, now+life.Microseconds()
	}
	k.refused += n
}
