package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// Standing is a key and how it stands under its limit.
type Standing struct {
	APIKey string
	ratelimit.Usage
	Problem error // an ErrCounter: what counts for the key cannot be read, and Usage is zero
}

// Busiest returns the n keys that are nearest their limits now, nearest first.
// Keys that have asked for nothing in their window are not among them, nor those
// whose record cannot be used. Behind them come at most n keys with a Problem.
//
// It goes by the records, so that it holds for every algorithm. Cost: a walk over
// Redis' names, and for each page of them two round trips, for the records and for
// the usage of their keys. Memory is for n keys and two pages. Redis goes on serving.
func (l *Ledger) Busiest(ctx context.Context, n int) ([]Standing, error) {
	top := ranking{size: n}
	var broken []Standing
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
			var standings []Standing
			standings, failed = l.standings(ctx, page)
			for _, s := range standings {
				if s.Problem == nil {
					top.enter(s)
				} else if len(broken) < n && !slices.ContainsFunc(broken, s.isKeyOf) { // the walk may come by twice
					broken = append(broken, s)
				}
			}
		})
		return nil
	})
	usage.Wait()
	return append(top.list, broken...), cmp.Or(err, failed)
}

func (s Standing) isKeyOf(other Standing) bool { return s.APIKey == other.APIKey }

// standings tells how each key of a page stands.
func (l *Ledger) standings(ctx context.Context, page []redislimit.Subject) ([]Standing, error) {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	start := l.now()
	usages, errs := l.at().limiter.UsageOfEach(ctx, page)
	standings := make([]Standing, len(page))
	var fault error
	for i, err := range errs {
		standings[i] = Standing{APIKey: page[i].Key, Usage: usages[i]}
		if err == nil {
			continue
		}
		if err = l.fault(page[i].Key, err); errors.Is(err, ErrCounter) {
			standings[i].Problem = err
		} else {
			fault = cmp.Or(fault, err)
		}
	}
	l.observe("usage", start, fault)
	return standings, fault
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
