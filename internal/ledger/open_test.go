package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

const (
	testKey    = "an-api-key-of-the-tests"
	testRecord = `{"rate_limit":10,"allowed_routes":["/x"],"window":"876000h"}`
)

func apiKey(i int) string { return fmt.Sprintf("key-%020d", i) }

// options are those of a ledger and of its store.
type options struct {
	storage.Options
	ledger Options
}

// remember has the ledger, and its store, remember so many keys.
func (o *options) remember(keys int) { o.CacheSize, o.ledger.CacheSize = keys, keys }

// open is a ledger on a server of the test's own.
func open(t *testing.T, server *redistest.Server, change ...func(*options)) *Ledger {
	t.Helper()
	o := options{Options: storage.Options{
		Addrs: []string{server.Addr}, Timeout: 10 * time.Second, Prefix: "token:", DefaultLimit: ratelimit.Limit{Window: time.Minute},
	}}
	for _, c := range change {
		c(&o)
	}
	store := storage.Open(o.Options)
	t.Cleanup(func() { _ = store.Close() })
	return New(store, o.ledger)
}

func put(t *testing.T, client *redis.Client, name, raw string, ttl time.Duration) {
	t.Helper()
	if err := client.Set(t.Context(), name, raw, ttl).Err(); err != nil {
		t.Fatal(err)
	}
}

// A handClock is moved by the test.
type handClock struct{ at time.Time }

func newHandClock() *handClock               { return &handClock{time.Unix(1_700_000_040, 0)} }
func (c *handClock) now() time.Time          { return c.at }
func (c *handClock) advance(d time.Duration) { c.at = c.at.Add(d) }
