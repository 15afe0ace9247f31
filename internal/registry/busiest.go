package registry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// Standing is a key and how it stands under its limit.
type Standing struct {
	APIKey string
	Label  string // of its record
	ratelimit.Usage
	Problem error // an storage.ErrCounter: what counts for the key cannot be read, and Usage is zero
}

// Order is what a list of keys is sorted by.
type Order func(a, b Standing) int

// Busiest is [Registry.Top] by [NearLimit].
func (r *Registry) Busiest(ctx context.Context, n int) ([]Standing, error) {
	return r.Top(ctx, n, NearLimit)
}

// Top returns the first n keys in this order. It leaves out keys that asked for
// nothing in their window, and those whose record cannot be used. Behind the n come
// at most n keys with a Problem.
//
// It starts from the records, so it works for every algorithm. Cost: a walk over
// Redis's names, and two round trips for each page of them, for the records and for
// the usage of their keys. Memory is for n keys and two pages. Redis keeps serving.
func (r *Registry) Top(ctx context.Context, n int, by Order) ([]Standing, error) {
	top := ranking{size: n, order: by}
	var broken []Standing
	var usage sync.WaitGroup // of a page, asked for while the next one is read
	var failed error
	err := r.walk(ctx, "", func(apiKeys []string) error {
		page, labels := make([]redislimit.Subject, 0, len(apiKeys)), make([]string, 0, len(apiKeys))
		err := r.lookup(ctx, apiKeys, func(e Entry) error {
			if e.Record != nil {
				page = append(page, redislimit.Subject{Key: e.APIKey, Limit: e.Record.Limit})
				labels = append(labels, e.Record.Label)
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
			standings, failed = r.standings(ctx, page)
			for i, s := range standings {
				s.Label = labels[i]
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
func (r *Registry) standings(ctx context.Context, page []redislimit.Subject) ([]Standing, error) {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	start := r.now()
	usages, errs := r.store.At().Limiter.UsageOfEach(ctx, page)
	standings := make([]Standing, len(page))
	var fault error
	for i, err := range errs {
		standings[i] = Standing{APIKey: page[i].Key, Usage: usages[i]}
		if err == nil {
			continue
		}
		if err = r.store.Fault(err); errors.Is(err, storage.ErrCounter) {
			standings[i].Problem = err
		} else {
			fault = cmp.Or(fault, err)
		}
	}
	r.store.Observe("usage", start, fault)
	return standings, fault
}

// ranking holds the first size of what enters, in order.
type ranking struct {
	size  int
	order Order
	list  []Standing
}

func (r *ranking) enter(s Standing) {
	if s.Used == 0 && s.Refused == 0 {
		return
	}
	// The walk may come by twice.
	r.list = slices.DeleteFunc(r.list, func(held Standing) bool { return held.APIKey == s.APIKey })
	i, _ := slices.BinarySearchFunc(r.list, s, r.order)
	r.list = slices.Insert(r.list, i, s)
	r.list = r.list[:min(len(r.list), r.size)]
}

// NearLimit puts the keys first that have the least left of the whole, and of these
// the most refused.
func NearLimit(a, b Standing) int {
	return cmp.Or(
		cmp.Compare(a.left(), b.left()),
		cmp.Compare(b.Refused, a.Refused),
		cmp.Compare(a.APIKey, b.APIKey), // keys differ, so no two standings are equal
	)
}

// MostRefused puts the keys first that were refused most often.
func MostRefused(a, b Standing) int {
	return cmp.Or(cmp.Compare(b.Refused, a.Refused), NearLimit(a, b))
}

// FastestRate puts the keys first with the highest [Standing.Rate].
func FastestRate(a, b Standing) int {
	return cmp.Or(cmp.Compare(b.Rate(), a.Rate()), NearLimit(a, b))
}

// left is the part of its permits that a key still has, from 0 to 1.
func (s Standing) left() float64 {
	return float64(s.Remaining) / float64(max(s.Used+s.Remaining, 1))
}

// Rate is how many requests a second the key has made of late, refused ones
// included: since its fixed window began, or else over one window. With a bucket,
// permits that came back since are not in it.
func (s Standing) Rate() float64 {
	span := s.Limit.Window
	if s.Limit.Algorithm == "" || s.Limit.Algorithm == ratelimit.FixedWindow {
		span -= s.Reset
	}
	return float64(s.Used+s.Refused) / max(span, time.Second).Seconds()
}
