package desk

import (
	"context"
	"fmt"

	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

// Revocation is what became of one key. Its JSON form is fixed for scripts.
type Revocation struct {
	APIKey  string `json:"api_key"` // "" when its hash is all that is known
	Revoked bool   `json:"revoked"`
	KeyHash string `json:"key_hash"`
	DryRun  bool   `json:"dry_run,omitempty"`
	Live    *bool  `json:"live,omitempty"` // with dry_run

	Name string `json:"-"` // the api_key, or the hash
}

// Named are the keys to revoke. Of the hashes no key is known.
type Named struct{ APIKeys, Hashes []string }

// Add takes a subject after resolve.
func (n *Named) Add(s *Subject) {
	if s.APIKey == "" {
		n.Hashes = append(n.Hashes, s.Hash)
	} else {
		n.APIKeys = append(n.APIKeys, s.APIKey)
	}
}

// Count is how many there are.
func (n *Named) Count() int { return len(n.APIKeys) + len(n.Hashes) }

// LabelledKeys are the keys whose label contains a text.
func LabelledKeys(ctx context.Context, book *registry.Registry, text string) ([]string, error) {
	var keys []string
	seen := map[string]bool{} // the walk may come by twice
	err := book.List(ctx, func(e registry.Entry) error {
		if e.Record != nil && labelled(e.Record.Label, text) && !seen[e.APIKey] {
			seen[e.APIKey] = true
			keys = append(keys, e.APIKey)
		}
		return nil
	})
	return keys, err
}

// Revoke revokes keys, in pipelines, or only looks for them in a dry run. It tells
// each what became of every key, in order, and returns how many were live. If Redis
// fails midway, the error says how many keys were done.
func Revoke(ctx context.Context, book *registry.Registry, keys Named, dryRun bool, each func(r Revocation, live bool) error) (live int, err error) {
	done := 0
	tell := func(r Revocation, isLive bool) error {
		if isLive {
			live++
		}
		if dryRun {
			r.DryRun, r.Live = true, &isLive
		}
		done++
		return each(r, isLive)
	}
	act := book.RevokeAll
	if dryRun {
		act = book.Held
	}
	err = act(ctx, keys.APIKeys, func(apiKey string, isLive bool) error {
		return tell(Revocation{APIKey: apiKey, Revoked: isLive && !dryRun, KeyHash: storage.KeyHash(apiKey), Name: apiKey}, isLive)
	})
	if err != nil {
		if done > 0 {
			err = fmt.Errorf("after %d of %d keys: %w", done, keys.Count(), err)
		}
		return live, err
	}
	for _, hash := range keys.Hashes {
		if err := tell(Revocation{KeyHash: hash, Name: hash}, false); err != nil {
			return live, err
		}
	}
	return live, nil
}
