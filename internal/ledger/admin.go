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
	found := l.lookup(ctx, []string{l.recordKey(apiKey)})[0]
	if found.err == nil && !found.exists {
		return found.Entry, ErrUnknown
	}
	return found.Entry, found.err
}

// found is an Entry, if there is one and Redis told of it.
type found struct {
	Entry
	exists bool
	err    error
}

// lookup reads what Redis holds under names, in their order, in one round trip.
func (l *Ledger) lookup(ctx context.Context, names []string) []found {
	start := l.now()
	pipe := l.client.Pipeline()
	gets, ttls := make([]*redis.StringCmd, len(names)), make([]*redis.DurationCmd, len(names))
	for i, name := range names {
		gets[i], ttls[i] = pipe.Get(ctx, name), pipe.PTTL(ctx, name)
	}
	_, err := pipe.Exec(ctx) // each command has its own error too
	l.observe("record", start, err)
	list := make([]found, len(names))
	for i, name := range names {
		list[i] = l.entry(name, gets[i], ttls[i])
	}
	return list
}

func (l *Ledger) entry(name string, get *redis.StringCmd, ttl *redis.DurationCmd) found {
	f := found{Entry: Entry{APIKey: l.keyOf(name), Name: name}, exists: true}
	raw, err := get.Result()
	switch {
	case errors.Is(err, redis.Nil):
		f.exists = false
		return f
	case err != nil:
		if err = l.fault(f.APIKey, err); !errors.Is(err, ErrRecord) {
			f.err = err
			return f
		}
		f.Problem = err
	default:
		f.Raw = raw
		f.Record, f.Problem = decode(raw, f.APIKey, l.opts.DefaultWindow)
	}
	if f.TTL, err = ttl.Result(); err != nil {
		f.err = l.fault(f.APIKey, err)
	}
	return f
}

// End is when the key stops being let in: when its record says so, or vanishes,
// whichever comes first. It is zero if it never does.
func (e Entry) End(now time.Time) time.Time {
	var end time.Time
	if e.Record != nil {
		end = e.Record.Expires
	}
	if e.TTL >= 0 {
		if gone := now.Add(e.TTL); end.IsZero() || gone.Before(end) {
			end = gone
		}
	}
	return end
}

// Peek answers as [Ledger.Take] would now, at the same cost of time at most, and
// takes nothing. It never answers from memory.
func (l *Ledger) Peek(ctx context.Context, apiKey string, allow func(*Record) error) (Permit, error) {
	start := l.now()
	ctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	rec, err := l.fetch(ctx, apiKey)
	if err != nil {
		return Permit{Waited: l.now().Sub(start)}, err
	}
	permit := Permit{Record: rec}
	if err = l.authorise(rec, allow); err == nil {
		var u ratelimit.Usage
		u, err = l.Usage(ctx, apiKey, rec.Limit)
		permit.Decision = next(u)
	}
	permit.Waited = l.now().Sub(start)
	return permit, err
}

// next is the decision on one more permit.
func next(u ratelimit.Usage) ratelimit.Decision {
	d := ratelimit.Decision{Limit: u.Limit, Reset: u.Reset}
	if u.Remaining < 1 {
		d.RetryAfter = u.Reset
		return d
	}
	d.Granted, d.Remaining = 1, u.Remaining-1
	return d
}

// Usage tells how a key stands under a limit. It takes nothing.
func (l *Ledger) Usage(ctx context.Context, apiKey string, limit ratelimit.Limit) (ratelimit.Usage, error) {
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
	start := l.now()
	err := l.limiter.Reset(ctx, apiKey, limit)
	l.observe("reset", start, err)
	if err != nil {
		return l.fault(apiKey, err)
	}
	return nil
}
