package ledger

import (
	"cmp"
	"context"
	"slices"
	"sync"

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
		entries := make([]Entry, 0, len(apiKeys))
		err := l.lookup(ctx, apiKeys, func(e Entry) error {
			if e.Record != nil {
				entries = append(entries, e)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return l.ask(ctx, entries, top.enter)
	})
	return top.list, err
}

// ask finds out how each key stands and tells, one at a time, in no order.
func (l *Ledger) ask(ctx context.Context, keys []Entry, tell func(Standing)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		all  sync.WaitGroup
		one  sync.Mutex
		next = make(chan Entry)
	)
	for range min(askers, len(keys)) {
		all.Go(func() {
			for k := range next {
				u, err := l.Usage(ctx, k.APIKey, k.Record.Limit)
				if err != nil {
					cancel(err) // the first counts; the others then end in it
					continue
				}
				one.Lock()
				tell(Standing{k.APIKey, u})
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
