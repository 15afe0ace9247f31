package ledger

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

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
// Redis' names, and for each page of them two round trips, for the records and for
// the usage of their keys. Memory is for n keys and two pages. Redis goes on serving.
func (l *Ledger) Busiest(ctx context.Context, n int) ([]Standing, error) {
	top := ranking{size: n}
	var usage sync.WaitGroup // of a page, asked for while the next one is read
	var failed error
	err := l.walk(ctx, "", func(apiKeys []string) error {
		page := make([]redislimit.Subject, 0, len(apiKeys))
		err := l.lookup(ctx, apiKeys, func(e Entry) error {
			if e.Record != nil {
				page = append(page, redislimit.Subject{Key: e.APIKey, Limit: e.Record.Limit})
			}
			return nil
		})
		if err != nil {
			return err
		}
		usage.Wait()
		if failed != nil {
			return failed
		}
		usage.Go(func() {
			var usages []ratelimit.Usage
			usages, failed = l.usages(ctx, page)
			for i, u := range usages {
				top.enter(Standing{page[i].Key, u})
			}
		})
		return nil
	})
	usage.Wait()
	return top.list, cmp.Or(err, failed)
}

// usages tells how each key of a page stands.
func (l *Ledger) usages(ctx context.Context, page []redislimit.Subject) ([]ratelimit.Usage, error) {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	usages, err := l.at().limiter.Usages(ctx, page)
	l.observe("usage", start, err)
	if err != nil {
		return nil, l.fault("", err)
	}
	return usages, nil
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
