package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
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
	var entry Entry
	found := false
	err := l.lookup(ctx, []string{apiKey}, func(e Entry) error {
		entry, found = e, true
		return nil
	})
	if err == nil && !found {
		err = ErrUnknown
	}
	return entry, err
}

// List hands every key that has a record to each, with what Redis holds of it,
// in no order. A key that is there all the while comes at least once, and rarely
// twice. It stops at the first error of each, which comes back as it is, and at
// the first fault of Redis, an [ErrUnavailable]; what came before is sound.
//
// Cost: a walk over Redis' names, one more round trip for each page of them, and
// the memory of one page. Redis goes on serving.
func (l *Ledger) List(ctx context.Context, each func(Entry) error) error {
	return l.walk(ctx, "", func(apiKeys []string) error { return l.lookup(ctx, apiKeys, each) })
}

// lookup hands those of the keys that there are to each, in their order. Cost:
// one round trip.
func (l *Ledger) lookup(ctx context.Context, apiKeys []string, each func(Entry) error) error {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	if err := l.find(ctx); err != nil {
		return err
	}
	start := l.now()
	pipe := l.at().client.Pipeline()
	gets, ttls := make([]*redis.StringCmd, len(apiKeys)), make([]*redis.DurationCmd, len(apiKeys))
	for i, apiKey := range apiKeys {
		name := l.recordKey(apiKey)
		gets[i], ttls[i] = pipe.Get(ctx, name), pipe.PTTL(ctx, name)
	}
	_, err := redislimit.Exec(ctx, pipe) // each command has its own error too
	l.observe("record", start, err)
	entries, faults := make([]Entry, len(apiKeys)), make([]error, len(apiKeys))
	var readers sync.WaitGroup // reading records is most of what a list costs
	for first := 0; first < len(apiKeys); first += readAtOnce {
		readers.Go(func() {
			for i := first; i < min(first+readAtOnce, len(apiKeys)); i++ {
				entries[i], faults[i] = l.entry(apiKeys[i], gets[i], ttls[i])
			}
		})
	}
	readers.Wait()
	for i, err := range faults {
		if errors.Is(err, ErrUnknown) {
			continue
		}
		if err == nil {
			err = each(entries[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readAtOnce is how many records one goroutine reads.
const readAtOnce = 250

func (l *Ledger) entry(apiKey string, get *redis.StringCmd, ttl *redis.DurationCmd) (Entry, error) {
	e := Entry{APIKey: apiKey, Name: l.recordKey(apiKey)}
	raw, err := get.Result()
	switch {
	case noSuchKey(err):
		return e, ErrUnknown
	case err != nil:
		if err = l.fault(apiKey, err); !errors.Is(err, ErrRecord) {
			return e, err
		}
		e.Problem = err
	default:
		e.Raw = raw
		e.Record, e.Problem = decode(raw, apiKey, l.opts.DefaultLimit)
	}
	if e.TTL, err = ttl.Result(); err != nil {
		return e, l.fault(apiKey, err)
	}
	return e, nil
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
	ctx, cancel := l.budget(ctx)
	defer cancel()
	err := l.find(ctx)
	var rec *Record
	if err == nil {
		rec, err = l.fetch(ctx, apiKey)
	}
	if err != nil {
		return Permit{Waited: l.now().Sub(start)}, err
	}
	permit := Permit{Record: rec}
	if err = l.authorise(rec, allow); err == nil {
		permit.Decision, err = l.peek(ctx, apiKey, rec.Limit)
	}
	permit.Waited = l.now().Sub(start)
	return permit, err
}

func (l *Ledger) peek(ctx context.Context, apiKey string, limit ratelimit.Limit) (ratelimit.Decision, error) {
	start := l.now()
	d, err := l.at().limiter.Peek(ctx, apiKey, limit, 1)
	l.observe("usage", start, err)
	if err != nil {
		return d, l.fault(apiKey, err)
	}
	return d, nil
}

// Usage tells how a key stands under a limit. It takes nothing.
func (l *Ledger) Usage(ctx context.Context, apiKey string, limit ratelimit.Limit) (ratelimit.Usage, error) {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	if err := l.find(ctx); err != nil {
		return ratelimit.Usage{}, err
	}
	start := l.now()
	u, err := l.at().limiter.Usage(ctx, apiKey, limit)
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
	if err := l.find(ctx); err != nil {
		return err
	}
	start := l.now()
	err := l.at().limiter.Reset(ctx, apiKey, limit)
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

// trialBudget bounds an exchange that no request waits for, and that may have to open a
// connection to a server far away. With an open connection the client ends it after
// Options.Timeout, as it does a request's.
func (l *Ledger) trialBudget(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.opts.opening())
}
