// Package registry administers the keys in Redis: it makes, reads, lists, changes and
// revokes their records, tells and resets what counts against their limits, and examines
// the Redis in use.
//
// No request is served by it, and serving does not know it: what a command, or an
// admin API, may do to a key is here, and how a request is settled is in the ledger.
// The walks over all keys are slow and bounded in memory; Redis serves meanwhile.
// HTTP, JWTs and metrics stay outside.
package registry

import (
	"errors"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
)

// ErrExists means that a record of this api_key is there already.
var ErrExists = errors.New("a record of this key exists already")

// Registry is safe for concurrent use.
type Registry struct {
	store *storage.Store
	opts  storage.Options
	now   func() time.Time
}

// New makes a registry of the keys in a store, which stays the caller's to close.
func New(store *storage.Store) *Registry {
	o := store.Options()
	return &Registry{store: store, opts: o, now: o.Now}
}
