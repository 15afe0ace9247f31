package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Standing is how a key stands under its limit. Its JSON form is fixed for
// scripts; times are in seconds.
type Standing struct {
	APIKey    string  `json:"api_key"`
	Algorithm string  `json:"algorithm"`
	Limit     int64   `json:"limit"`
	Window    int64   `json:"window"`
	Used      int64   `json:"used"`
	Remaining int64   `json:"remaining"`
	ResetsIn  int64   `json:"resets_in"` // rounded up: then the window is over
	Refused   int64   `json:"refused"`
	Burst     int64   `json:"burst,omitempty"`     // if the record or the configuration names one
	MaxDelay  float64 `json:"max_delay,omitempty"` // of a leaky bucket
	KeyHash   string  `json:"key_hash"`            // as in the log
	Label     string  `json:"label,omitempty"`     // in limits top
	Rate      float64 `json:"rate,omitempty"`      // requests a second, in limits top --by rate
}

// StandingOf reports a key's usage.
func StandingOf(apiKey string, u ratelimit.Usage) Standing {
	return Standing{
		APIKey: apiKey, Algorithm: algorithmOf(u.Limit),
		Limit: u.Limit.Permits, Window: int64(u.Limit.Window / time.Second),
		Used: u.Used, Remaining: u.Remaining, Refused: u.Refused,
		ResetsIn: int64((u.Reset + time.Second - 1) / time.Second),
		Burst:    u.Limit.Burst, MaxDelay: u.Limit.MaxDelay.Seconds(),
		KeyHash: storage.KeyHash(apiKey),
	}
}

// algorithmOf names a limit's algorithm, also the one that needs no name.
func algorithmOf(l ratelimit.Limit) string {
	return string(cmp.Or(l.Algorithm, ratelimit.FixedWindow))
}

// Look tells how a key stands under the limit that its record sets now.
func Look(ctx context.Context, book *registry.Registry, apiKey string) (Standing, error) {
	rec, err := usable(ctx, book, apiKey)
	if err != nil {
		return Standing{}, err
	}
	u, err := book.Usage(ctx, apiKey, rec.Limit)
	return StandingOf(apiKey, u), err
}

// usable is the key's record, or why there is none that could be used.
func usable(ctx context.Context, book *registry.Registry, apiKey string) (*storage.Record, error) {
	entry, err := book.Lookup(ctx, apiKey)
	if err != nil {
		return nil, err
	}
	return entry.Record, entry.Problem
}

// Reset gives a key back what it has used of its limit, which it returns. The errors
// are those of lookAt.
func Reset(ctx context.Context, book *registry.Registry, apiKey string) (ratelimit.Limit, error) {
	rec, err := usable(ctx, book, apiKey)
	if err != nil {
		return ratelimit.Limit{}, err
	}
	return rec.Limit, book.Reset(ctx, apiKey, rec.Limit)
}

// MaxTop bounds -n, and so what a walk over all keys holds in memory.
const MaxTop = 1000

// orders are the values of --by.
var orders = map[string]registry.Order{"near": registry.NearLimit, "refused": registry.MostRefused, "rate": registry.FastestRate}

// KnownOrder reports whether top knows an order.
func KnownOrder(by string) bool {
	_, known := orders[by]
	return known
}

// TopList is what Redis says of the keys, in order; those whose counter cannot be
// read come last.
type TopList struct {
	Usages []Standing
	Broken []Unusable
}

// MarshalJSON makes one list of both.
func (l TopList) MarshalJSON() ([]byte, error) {
	all := make([]any, 0, len(l.Usages)+len(l.Broken))
	for _, u := range l.Usages {
		all = append(all, u)
	}
	for _, b := range l.Broken {
		all = append(all, b)
	}
	return json.Marshal(all)
}

// Top finds the n keys, of at most maxTop, that come first in an order: near, refused
// or rate. It reads all records, in small steps.
func Top(ctx context.Context, book *registry.Registry, n int, by string) (TopList, error) {
	var list TopList
	busiest, err := book.Top(ctx, n, orders[by])
	if err != nil {
		return list, err
	}
	for _, b := range busiest {
		if b.Problem != nil {
			list.Broken = append(list.Broken, Unusable{b.APIKey, b.Problem.Error(), storage.KeyHash(b.APIKey)})
			continue
		}
		u := StandingOf(b.APIKey, b.Usage)
		u.Label = b.Label
		if by == "rate" {
			u.Rate = math.Round(b.Rate()*1000) / 1000
		}
		list.Usages = append(list.Usages, u)
	}
	return list, nil
}
