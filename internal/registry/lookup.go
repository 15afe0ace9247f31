package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// Entry is what Redis holds of a key, for its operator to look at.
type Entry struct {
	APIKey  string
	Name    string          // of the Redis key
	Raw     string          // as it stands in Redis; "" if it is not even a string
	TTL     time.Duration   // until it vanishes; negative if it never does
	Record  *storage.Record // nil if it cannot be used
	Problem error           // why not: an storage.ErrRecord
}

// Lookup reads what Redis holds of a key: [storage.ErrUnknown] if there is nothing,
// [storage.ErrUnavailable] if Redis did not say. A record that cannot be used is no
// error; it is for the operator to see. Cost: one round trip.
func (r *Registry) Lookup(ctx context.Context, apiKey string) (Entry, error) {
	var entry Entry
	found := false
	err := r.lookup(ctx, []string{apiKey}, func(e Entry) error {
		entry, found = e, true
		return nil
	})
	if err == nil && !found {
		err = storage.ErrUnknown
	}
	return entry, err
}

// List hands every key that has a record to each, with what Redis holds of it,
// in no order. A key that is there all the while comes at least once, and rarely
// twice. It stops at the first error of each, which comes back as it is, and at
// the first fault of Redis, an [storage.ErrUnavailable]; what came before is sound.
//
// Cost: a walk over Redis's names, one more round trip for each page of them, and
// the memory of one page. Redis goes on serving.
func (r *Registry) List(ctx context.Context, each func(Entry) error) error {
	return r.walk(ctx, "", func(apiKeys []string) error { return r.lookup(ctx, apiKeys, each) })
}

// lookup hands those of the keys that there are to each, in their order. Cost:
// one round trip.
func (r *Registry) lookup(ctx context.Context, apiKeys []string, each func(Entry) error) error {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	if err := r.store.Find(ctx); err != nil {
		return err
	}
	start := r.now()
	pipe := r.store.At().Client.Pipeline()
	gets, ttls := make([]*redis.StringCmd, len(apiKeys)), make([]*redis.DurationCmd, len(apiKeys))
	for i, apiKey := range apiKeys {
		name := r.store.RecordName(apiKey)
		gets[i], ttls[i] = pipe.Get(ctx, name), pipe.PTTL(ctx, name)
	}
	_, err := redislimit.Exec(ctx, pipe) // each command has its own error too
	r.store.Observe("record", start, err)
	entries, faults := make([]Entry, len(apiKeys)), make([]error, len(apiKeys))
	var readers sync.WaitGroup // reading records is most of what a list costs
	for first := 0; first < len(apiKeys); first += readAtOnce {
		readers.Go(func() {
			for i := first; i < min(first+readAtOnce, len(apiKeys)); i++ {
				entries[i], faults[i] = r.entry(apiKeys[i], gets[i], ttls[i])
			}
		})
	}
	readers.Wait()
	for i, err := range faults {
		if errors.Is(err, storage.ErrUnknown) {
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

func (r *Registry) entry(apiKey string, get *redis.StringCmd, ttl *redis.DurationCmd) (Entry, error) {
	e := Entry{APIKey: apiKey, Name: r.store.RecordName(apiKey)}
	raw, err := get.Result()
	switch {
	case storage.NoSuchKey(err):
		return e, storage.ErrUnknown
	case err != nil:
		if err = r.store.Fault(err); !errors.Is(err, storage.ErrRecord) {
			return e, err
		}
		e.Problem = err
	default:
		e.Raw = raw
		e.Record, e.Problem = r.store.Decode(raw, apiKey)
	}
	if e.TTL, err = ttl.Result(); err != nil {
		return e, r.store.Fault(err)
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

// Usage tells how a key stands under a limit. It takes nothing.
func (r *Registry) Usage(ctx context.Context, apiKey string, limit ratelimit.Limit) (ratelimit.Usage, error) {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	if err := r.store.Find(ctx); err != nil {
		return ratelimit.Usage{}, err
	}
	start := r.now()
	u, err := r.store.At().Limiter.Usage(ctx, apiKey, limit)
	r.store.Observe("usage", start, err)
	if err != nil {
		return u, r.store.Fault(err)
	}
	return u, nil
}

// Reset gives a key back what it has used of a limit in the current window.
func (r *Registry) Reset(ctx context.Context, apiKey string, limit ratelimit.Limit) error {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	if err := r.store.Find(ctx); err != nil {
		return err
	}
	start := r.now()
	err := r.store.At().Limiter.Reset(ctx, apiKey, limit)
	r.store.Observe("reset", start, err)
	if err != nil {
		return r.store.Fault(err)
	}
	return nil
}
