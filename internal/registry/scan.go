package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// scanStep is how many names Redis looks at before it serves others: it takes
// well below a millisecond.
const scanStep = 1000

// walk hands the api_keys that have a record and begin with prefix to page,
// scanStep or so at a time, one page after the other. It stops at the first
// error of page, which comes back as it is; a fault of Redis is [storage.ErrUnavailable].
//
// They come in no order. A key that is there all the while comes at least once,
// and rarely twice. Cost: Redis goes through all names that it holds, whatever
// they are, in a round trip for each scanStep of them.
func (r *Registry) walk(ctx context.Context, prefix string, page func(apiKeys []string) error) error {
	// The client first asks the nodes who is a master, and without a bound of its own.
	finding, cancel := r.store.Budget(ctx)
	defer cancel()
	if err := r.store.Find(finding); err != nil {
		return err
	}
	at := r.store.At()
	if at.Cluster == nil {
		return r.walkNode(ctx, at.Client, prefix, page)
	}
	var (
		one    sync.Mutex // the masters are walked side by side
		walked bool
	)
	err := at.Cluster.ForEachMaster(finding, func(_ context.Context, master *redis.Client) error {
		one.Lock()
		walked = true
		one.Unlock()
		return r.walkNode(ctx, master, prefix, func(apiKeys []string) error {
			one.Lock()
			defer one.Unlock()
			return page(apiKeys)
		})
	})
	if err != nil && !walked {
		return r.store.Fault(err)
	}
	return err
}

func (r *Registry) walkNode(ctx context.Context, node redis.Cmdable, prefix string, page func(apiKeys []string) error) error {
	match := r.opts.Prefix
	if r.store.At().Cluster != nil {
		match += "{"
	}
	match = globEscape.Replace(match+prefix) + "*"
	for cursor := uint64(0); ; {
		names, next, err := r.scanOnce(ctx, node, cursor, match)
		if err != nil {
			return err
		}
		if apiKeys := r.apiKeys(names); len(apiKeys) > 0 {
			if err := page(apiKeys); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (r *Registry) scanOnce(ctx context.Context, node redis.Cmdable, cursor uint64, match string) (names []string, next uint64, err error) {
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	start := r.now()
	names, next, err = node.Scan(ctx, cursor, match, scanStep).Result()
	r.store.Observe("scan", start, err)
	if err != nil {
		return nil, 0, r.store.Fault(err)
	}
	return names, next, nil
}

// globEscape takes from characters the meaning that they have in a pattern of Redis.
var globEscape = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `\`, `\\`)

// apiKeys reads the names of records, in place. Names that none of ours can have are left out.
func (r *Registry) apiKeys(names []string) []string {
	found := names[:0]
	for _, name := range names {
		apiKey := strings.Trim(strings.TrimPrefix(name, r.opts.Prefix), "{}")
		if name == r.store.RecordName(apiKey) && jwtauth.ValidAPIKey(apiKey) {
			found = append(found, apiKey)
		}
	}
	return found
}

// Keys returns api_keys that have a record and begin with prefix, in no order:
// all of them if they are not more than atMost, else the first atMost found.
// Cost: a walk over Redis's names until there are enough.
func (r *Registry) Keys(ctx context.Context, prefix string, atMost int) ([]string, error) {
	seen := make(map[string]struct{}, atMost)
	err := r.walk(ctx, prefix, func(apiKeys []string) error {
		for _, apiKey := range apiKeys {
			if len(seen) == atMost {
				return errEnough
			}
			seen[apiKey] = struct{}{}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return slices.Collect(maps.Keys(seen)), nil
}

// errEnough ends a walk early.
var errEnough = errors.New("enough")

// Hashed returns the api_keys that have a record and one of these hashes, by
// hash (see [storage.KeyHash]). Two keys may share a hash. progress, if not nil, gets the
// number of keys seen so far. A context that ends is its own error. Cost: a walk
// over all of Redis's names, and a SHA-256 for each key.
func (r *Registry) Hashed(ctx context.Context, hashes []string, progress func(seen int)) (map[string][]string, error) {
	found := make(map[string][]string, len(hashes))
	for _, hash := range hashes {
		found[hash] = nil
	}
	seen := 0
	err := r.walk(ctx, "", func(apiKeys []string) error {
		for _, apiKey := range apiKeys {
			hash := storage.KeyHash(apiKey)
			keys, wanted := found[hash]
			if wanted && !slices.Contains(keys, apiKey) { // the walk may come by twice
				found[hash] = append(keys, apiKey)
			}
		}
		seen += len(apiKeys)
		if progress != nil {
			progress(seen)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return found, err
}
