package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/storage"
)

// MaxRecord is how many bytes a record may have that is written. Those of other
// programs may have more.
const MaxRecord = 64 << 10

// RecordName is the name of a key's record in Redis. It is known once Redis has
// answered, where it has to be asked whether it is a Cluster.
func (r *Registry) RecordName(apiKey string) string { return r.store.RecordName(apiKey) }

// Create writes the record of a new key, to vanish after ttl. It never
// overwrites: [ErrExists] if the key has a record. It returns the record's name.
func (r *Registry) Create(ctx context.Context, g storage.Grant, ttl time.Duration) (string, error) {
	raw, err := json.Marshal(g)
	if err != nil {
		return "", err
	}
	ctx, cancel := r.store.Budget(ctx)
	defer cancel()
	if err := r.store.Find(ctx); err != nil {
		return "", err
	}
	at := r.store.At()
	name := at.RecordName(g.APIKey)
	if err := checkSize(string(raw), &g.Label); err != nil {
		return name, err
	}
	start := r.now()
	err = at.Client.SetArgs(ctx, name, raw, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	r.store.Observe("create", start, err)
	switch {
	case storage.NoSuchKey(err):
		return name, ErrExists
	case err != nil:
		return name, r.store.Fault(err)
	}
	return name, nil
}

// checkSize refuses a record that is too large to be written.
func checkSize(raw string, label *string) error {
	switch {
	case label != nil && utf8.RuneCountInString(*label) > storage.MaxLabel:
		return fmt.Errorf("the label has %d characters, and at most %d are kept: shorten it", utf8.RuneCountInString(*label), storage.MaxLabel)
	case len(raw) > MaxRecord:
		return fmt.Errorf("the record would have %d bytes, and at most %d are kept: shorten its routes", len(raw), MaxRecord)
	}
	return nil
}
