// Package storage is the Redis that holds the keys: the connection to it, which of its
// servers has what, what its errors mean, and how a record is read.
//
// It is what serving ([internal/ledger]) and administration ([internal/registry]) both
// stand on. What only one of them does stays in that one: nothing here decides about a
// request, and nothing here changes a record. HTTP, JWTs and metrics stay outside.
//
// [internal/ledger]: https://pkg.go.dev/github.com/tykctl/tykctl/internal/ledger
// [internal/registry]: https://pkg.go.dev/github.com/tykctl/tykctl/internal/registry
package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// Store is the Redis that holds the keys. It is safe for concurrent use.
type Store struct {
	opts Options
	now  func() time.Time

	site    atomic.Pointer[Site]
	found   atomic.Bool   // it is known whether Redis is a Cluster
	finding chan struct{} // held while that is asked for

	changing sync.Mutex // guards replacing site
	closed   bool

	tripping sync.Mutex
	open     int // breakers
}

// Open does not wait for Redis and does not fail when Redis is away: calls then get
// [ErrUnavailable] until it is there.
func Open(o Options) *Store {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, string) {}
	}
	if o.Events == nil {
		o.Events = noEvents{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	st := &Store{opts: o, now: o.Now, finding: make(chan struct{}, 1)}
	cluster, known := o.cluster()
	st.site.Store(st.newSite(cluster))
	st.found.Store(known)
	return st
}

// Options are those that the store was opened with; Now, Logger, Observe and Events
// are never nil.
func (st *Store) Options() Options { return st.opts }

// Close ends the connections. Calls under way fail with [ErrUnavailable].
func (st *Store) Close() error {
	st.changing.Lock()
	defer st.changing.Unlock()
	st.closed = true
	return st.At().close()
}

// Budget bounds one exchange with Redis, which must not take longer than
// Options.Timeout, connecting included.
func (st *Store) Budget(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, st.opts.Timeout)
}

// Observe tells Options.Observe of an exchange that has ended now.
func (st *Store) Observe(op string, start time.Time, err error) {
	st.opts.Observe(op, st.now().Sub(start), Classify(err))
}

// Fault turns what the client reported into what callers can act on: [ErrRecord],
// [ErrCounter] or [ErrUnavailable].
func (st *Store) Fault(err error) error {
	switch k := Classify(err); k {
	case "wrongtype": // the value under the key's name is not a string: the key's fault, not Redis's
		return fmt.Errorf("%w: it is no string in Redis", ErrRecord)
	case "counter":
		return fmt.Errorf("%w: %w", ErrCounter, err)
	default:
		return newOutage(k, err, st.opts.Addrs)
	}
}

// exchanged takes in how a round trip of the limiter ended.
func (st *Store) exchanged(x redislimit.Exchange) {
	st.opts.Observe("take", x.Took, Classify(x.Err))
	st.opts.Events.Shared(x.Callers)
}

// Ping asks Redis for a sign of life, within the request's time budget.
func (st *Store) Ping(ctx context.Context) error {
	ctx, cancel := st.Budget(ctx)
	defer cancel()
	if err := st.Find(ctx); err != nil {
		return err
	}
	start := st.now()
	err := st.At().Client.Ping(ctx).Err()
	st.Observe("ping", start, err)
	if err != nil {
		return st.Fault(err)
	}
	return nil
}

// Decode reads a record of apiKey; Options.DefaultLimit fills in what it leaves open.
// What cannot be understood is an [ErrRecord].
func (st *Store) Decode(raw, apiKey string) (*Record, error) {
	return decode(raw, apiKey, st.opts.DefaultLimit)
}

// RecordName is the name of a key's record in Redis. It is known once Redis has
// answered, where it has to be asked whether it is a Cluster.
func (st *Store) RecordName(apiKey string) string { return st.At().RecordName(apiKey) }

// KeyHash names an api_key where the key itself must not stand: in logs. It is
// the first 12 hex digits of the key's SHA-256.
func KeyHash(apiKey string) string {
	sum := sha256.Sum256([]byte(apiKey))
	return hex.EncodeToString(sum[:6])
}
