package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// askers is how many questions about usage are under way at a time. Each costs
// Redis a few microseconds, so this keeps it busy without filling the pool.
const askers = 16

// Standing is a key and how it stands under its limit.
type Standing struct {
	APIKey string
	ratelimit.Usage
}

// Busiest returns the n keys that are nearest their limits now, nearest first.
// Keys that have asked for nothing in their window are not among them, nor those
// whose record cannot be used.
//
// It goes by the records, so that it holds for every algorithm. Cost: a walk over
// Redis' names, and for each key its record, in one pipeline a page, and its usage,
// askers at a time. Memory is for n keys and one page. Redis goes on serving.
func (l *Ledger) Busiest(ctx context.Context, n int) ([]Standing, error) {
	top := ranking{size: n}
	err := l.walk(ctx, "", func(apiKeys []string) error {
		limits, err := l.limits(ctx, apiKeys)
		if err != nil {
			return err
		}
		return l.ask(ctx, limits, top.enter)
	})
	return top.list, err
}

type limited struct {
	apiKey string
	limit  ratelimit.Limit
}

// limits reads the limits of keys from their records in one pipeline. Keys
// that have none any more, or one that cannot be used, are left out.
func (l *Ledger) limits(ctx context.Context, apiKeys []string) ([]limited, error) {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	pipe := l.client.Pipeline()
	gets := make([]*redis.StringCmd, len(apiKeys))
	for i, apiKey := range apiKeys {
		gets[i] = pipe.Get(ctx, l.recordKey(apiKey))
	}
	_, err := pipe.Exec(ctx)
	l.observe("records", start, err)
	found := make([]limited, 0, len(apiKeys))
	for i, get := range gets {
		raw, err := get.Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			if err = l.fault(apiKeys[i], err); errors.Is(err, ErrRecord) {
				continue
			}
			return nil, err
		}
		if rec, err := decode(raw, apiKeys[i], l.opts.DefaultWindow); err == nil {
			found = append(found, limited{apiKeys[i], rec.Limit})
		}
	}
	return found, nil
}

// ask finds out how each key stands and tells, one at a time, in no order.
func (l *Ledger) ask(ctx context.Context, keys []limited, tell func(Standing)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		all  sync.WaitGroup
		one  sync.Mutex
		next = make(chan limited)
	)
	for range min(askers, len(keys)) {
		all.Go(func() {
			for k := range next {
				u, err := l.Usage(ctx, k.apiKey, k.limit)
				if err != nil {
					cancel(err) // the first counts; the others then end in it
					continue
				}
				one.Lock()
				tell(Standing{k.apiKey, u})
				one.Unlock()
			}
		})
	}
	for _, k := range keys {
		if ctx.Err() != nil {
			break
		}
		next <- k
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// ranking holds the first size of what enters, in order.
type ranking struct {
	size int
	list []Standing
}

func (r *ranking) enter(s Standing) {
	if s.Used == 0 && s.Refused == 0 {
		return
	}
	// The walk may come by twice.
	r.list = slices.DeleteFunc(r.list, func(held Standing) bool { return held.APIKey == s.APIKey })
	i, _ := slices.BinarySearchFunc(r.list, s, nearer)
	r.list = slices.Insert(r.list, i, s)
	r.list = r.list[:min(len(r.list), r.size)]
}

// nearer orders by what is left of the whole, then by what was refused. Keys are
// unlike one another, so no two standings are equal.
func nearer(a, b Standing) int {
	return cmp.Or(
		cmp.Compare(a.left(), b.left()),
		cmp.Compare(b.Refused, a.Refused),
		cmp.Compare(a.APIKey, b.APIKey),
	)
}

// left is the part of its permits that a key still has, from 0 to 1.
func (s Standing) left() float64 {
	return float64(s.Remaining) / float64(max(s.Used+s.Remaining, 1))
}
