package ledger

import (
	"errors"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

var cutting = flag.Duration("cutting", 2*time.Second, "how long TestCutReplies… cuts connections")

// While connections are cut in the middle of replies, nobody gets another key's
// record or decision: each key has a limit, and a count, that no other has.
func TestCutRepliesNeverReachAnotherCaller(t *testing.T) {
	t.Parallel()
	const keys, callers, gap = 20, 32, 1_000_000
	server := redistest.Start(t)
	client := server.Client(t)
	wire := redistest.StartWire(t, server.Addr)
	store := storage.Open(storage.Options{Addrs: []string{wire.Addr}, Timeout: time.Second, Prefix: "token:", CacheSize: 8})
	t.Cleanup(func() { _ = store.Close() })
	l := New(store, Options{CacheSize: 8})

	const window = "876000h"
	taken := make([]atomic.Int64, keys)
	for i := range keys {
		record := fmt.Sprintf(`{"api_key":"key-%[1]d","rate_limit":%[2]d,"allowed_routes":["/%[1]d"],"window":%[3]q}`, i, (i+1)*gap, window)
		counter := redislimit.Options{}.CounterKey(fmt.Sprint("key-", i), time.Unix(0, 0))
		if err := errors.Join(
			client.Set(t.Context(), fmt.Sprint("token:key-", i), record, 0).Err(),
			client.Set(t.Context(), counter, i*gap/2, 0).Err(),
		); err != nil {
			t.Fatal(err)
		}
	}
	wire.Cut(20)
	end := time.Now().Add(*cutting)
	var settled, failed atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for turn := c; time.Now().Before(end); turn++ {
				i := turn % keys
				p, err := l.Take(t.Context(), fmt.Sprint("key-", i), func(rec *storage.Record) error {
					if !rec.Routes.Allows("GET", fmt.Sprint("/", i)) {
						t.Errorf("key %d is judged by a record with the routes %q", i, rec.Routes.Patterns())
					}
					return nil
				})
				switch {
				case errors.Is(err, storage.ErrUnavailable):
					failed.Add(1)
				case err != nil:
					t.Errorf("key %d: %v", i, err)
				default:
					settled.Add(1)
					taken[i].Add(1)
					most := int64((i+1)*gap - i*gap/2 - 1)
					if left := p.Decision.Remaining; !p.Decision.Allowed() || left > most || left < most-gap/4 {
						t.Errorf("key %d got %+v, want a little less than %d left", i, p.Decision, most)
					}
				}
			}
		})
	}
	wg.Wait()
	if wire.Spoiled() == 0 || settled.Load() == 0 || failed.Load() == 0 {
		t.Errorf("%d replies were cut, %d requests settled, %d failed: nothing was proved", wire.Spoiled(), settled.Load(), failed.Load())
	}
	t.Logf("%d replies were cut, %d requests settled, %d failed", wire.Spoiled(), settled.Load(), failed.Load())
	for i := range keys { // a lost reply may cost a permit, and never gives one away
		count, err := client.Get(t.Context(), redislimit.Options{}.CounterKey(fmt.Sprint("key-", i), time.Unix(0, 0))).Int64()
		if charged := count - int64(i*gap/2); err != nil || charged < taken[i].Load() {
			t.Errorf("key %d: %d were charged, %v, and %d granted", i, charged, err, taken[i].Load())
		}
	}
}
