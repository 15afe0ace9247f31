package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/jsonobject"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// Change is what an operator changes of a record. What is nil stays as it is.
// The JSON names are the record's.
type Change struct {
	RateLimit     *int64     `json:"rate_limit,omitempty"`
	AllowedRoutes []string   `json:"allowed_routes,omitempty"`
	ExpiresAt     *time.Time `json:"expires_at,omitempty"`
	Expires       *int64     `json:"exp,omitempty"`
	Window        *string    `json:"window,omitempty"`
	Algorithm     *string    `json:"algorithm,omitempty"`
	Burst         *int64     `json:"burst,omitempty"`
	MaxDelay      *string    `json:"max_delay,omitempty"`
	Label         *string    `json:"label,omitempty"`

	TTL time.Duration `json:"-"` // until the record vanishes; 0 leaves it as it is
}

// swap replaces a record if it still holds the bytes that the caller saw, so
// that a change made meanwhile by another is never undone.
var swap = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
if ARGV[3] == '0' then
	redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
	redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1`)

// attempts bounds how often Update follows a record that changes under it.
const attempts = 4

// Update changes a record and returns it as it now stands. Members that the
// change does not name keep their bytes and their order, whoever wrote them. It
// follows a record that changes meanwhile, a few times. It never makes a record
// ([storage.ErrUnknown]) and never leaves one that the gateway could not use
// ([storage.ErrRecord]). Cost: two round trips for each try.
func (r *Registry) Update(ctx context.Context, apiKey string, c Change) (Entry, error) {
	change, err := json.Marshal(c)
	if err != nil {
		return Entry{}, err
	}
	for range attempts {
		e, err := r.Lookup(ctx, apiKey)
		if err != nil {
			return e, err
		}
		if e.Raw == "" {
			return e, e.Problem
		}
		raw, err := jsonobject.Merge(e.Raw, string(change))
		if err != nil {
			return e, fmt.Errorf("%w: %w", storage.ErrRecord, err)
		}
		rec, err := r.store.Decode(raw, apiKey)
		if err != nil {
			return e, fmt.Errorf("not changed: the result would be invalid: %w", err)
		}
		if err := checkSize(raw, c.Label); err != nil {
			return e, fmt.Errorf("not changed: %w", err)
		}
		swapped, err := r.swap(ctx, e, raw, c.TTL)
		if err != nil {
			return e, err
		}
		if swapped {
			e.Raw, e.Record, e.Problem = raw, rec, nil
			if c.TTL > 0 {
				e.TTL = c.TTL
			}
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("not changed: others changed the key's record %d times meanwhile; try again", attempts)
}

func (r *Registry) swap(ctx context.Context, e Entry, raw string, ttl time.Duration) (bool, error) {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	start := r.now()
	n, err := swap.Run(ctx, r.store.At().Client, []string{e.Name}, e.Raw, raw, ttl.Milliseconds()).Int()
	r.store.Observe("update", start, err)
	if err != nil {
		return false, r.store.Fault(err)
	}
	return n == 1, nil
}

// Revoke deletes the record of a key, and reports whether there was one. Cost:
// one round trip.
func (r *Registry) Revoke(ctx context.Context, apiKey string) (bool, error) {
	held := false
	err := r.RevokeAll(ctx, []string{apiKey}, func(_ string, was bool) error {
		held = was
		return nil
	})
	return held, err
}

// revokeStep is how many keys are asked about in one round trip.
const revokeStep = 1000

// RevokeAll deletes the records of keys, and tells each in their order whether
// there was one. It stops at the first error of each, which comes back as it is, and
// at a fault of Redis: then each has heard of all that were deleted for certain.
// Cost: one round trip for each thousand keys.
func (r *Registry) RevokeAll(ctx context.Context, apiKeys []string, each func(apiKey string, was bool) error) error {
	for page := range slices.Chunk(apiKeys, revokeStep) {
		if err := r.revokePage(ctx, page, each); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) revokePage(ctx context.Context, apiKeys []string, each func(string, bool) error) error {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	if err := r.store.Find(ctx); err != nil {
		return err
	}
	start := r.now()
	at := r.store.At() // the names and the client belong together
	pipe := at.Client.Pipeline()
	dels := make([]*redis.IntCmd, len(apiKeys))
	for i, apiKey := range apiKeys {
		dels[i] = pipe.Del(ctx, at.RecordName(apiKey))
	}
	_, err := redislimit.Exec(ctx, pipe) // each command has its own error too
	r.store.Observe("revoke", start, err)
	var failed error
	for i, apiKey := range apiKeys {
		n, err := dels[i].Result()
		if err != nil {
			failed = cmp.Or(failed, r.store.Fault(err))
			continue
		}
		if err := each(apiKey, n > 0); err != nil {
			return err
		}
	}
	return failed
}

// Held tells each, in their order, which of the keys have a record. Errors and
// cost are as for [Registry.RevokeAll].
func (r *Registry) Held(ctx context.Context, apiKeys []string, each func(apiKey string, is bool) error) error {
	for page := range slices.Chunk(apiKeys, revokeStep) {
		held := make(map[string]bool, len(page))
		err := r.lookup(ctx, page, func(e Entry) error {
			held[e.APIKey] = true
			return nil
		})
		if err != nil {
			return err
		}
		for _, apiKey := range page {
			if err := each(apiKey, held[apiKey]); err != nil {
				return err
			}
		}
	}
	return nil
}
