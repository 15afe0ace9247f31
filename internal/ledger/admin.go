package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Entry is what Redis holds of a key, for its operator to look at.
type Entry struct {
	APIKey  string
	Name    string        // of the Redis key
	Raw     string        // as it stands in Redis; "" if it is not even a string
	TTL     time.Duration // until it vanishes; negative if it never does
	Record  *Record       // nil if it cannot be used
	Problem error         // why not: an ErrRecord
}

// Lookup reads what Redis holds of a key: [ErrUnknown] if there is nothing,
// [ErrUnavailable] if Redis did not say. A record that cannot be used is no
// error; it is for the operator to see. Cost: one round trip.
func (l *Ledger) Lookup(ctx context.Context, apiKey string) (Entry, error) {
	e := Entry{APIKey: apiKey, Name: l.recordKey(apiKey)}
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	pipe := l.client.Pipeline()
	get, ttl := pipe.Get(ctx, e.Name), pipe.PTTL(ctx, e.Name)
	_, _ = pipe.Exec(ctx) // each command has its own error
	raw, err := get.Result()
	l.observe("record", start, err)
	switch {
	case errors.Is(err, redis.Nil):
		return e, ErrUnknown
	case err != nil:
		if err = l.fault(apiKey, err); !errors.Is(err, ErrRecord) {
			return e, err
		}
		e.Problem = err
	default:
		e.Raw = raw
		e.Record, e.Problem = decode(raw, apiKey, l.opts.DefaultWindow)
	}
	if e.TTL, err = ttl.Result(); err != nil {
		return e, l.fault(apiKey, err)
	}
	return e, nil
}

// Usage tells how a key stands under a limit. It takes nothing.
func (l *Ledger) Usage(ctx context.Context, apiKey string, limit ratelimit.Limit) (ratelimit.Usage, error) {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	u, err := l.limiter.Usage(ctx, apiKey, limit)
	l.observe("usage", start, err)
	if err != nil {
		return u, l.fault(apiKey, err)
	}
	return u, nil
}

// Reset gives a key back what it has used of a limit in the current window.
func (l *Ledger) Reset(ctx context.Context, apiKey string, limit ratelimit.Limit) error {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	err := l.limiter.Reset(ctx, apiKey, limit)
	l.observe("reset", start, err)
	if err != nil {
		return l.fault(apiKey, err)
	}
	return nil
}

// budget bounds one exchange with Redis, which must not take longer than
// Options.Timeout, connecting included.
func (l *Ledger) budget(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.opts.Timeout)
}
