package redislimit

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// century is a window whose end no test lives to see: it began in 1970.
const century = 100 * 365 * 24 * time.Hour

var centuryStart = time.Unix(0, 0)

// overStores runs a test over a real Redis and over miniredis.
func overStores(t *testing.T, test func(t *testing.T, client *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, redistest.Start(t).Client(t))
	})
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		_, client := startMini(t)
		test(t, client)
	})
}

func startMini(t *testing.T) (*miniredis.Miniredis, *redis.Client) {
	t.Helper()
	m := miniredis.RunT(t)
	// With so few connections nothing is opened or sent in the background, however slow
	// the machine is: the test alone moves its clock.
	client := redis.NewClient(&redis.Options{Addr: m.Addr(), PoolSize: maxInFlight})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, client
}

func mustTake(t *testing.T, l *Limiter, key string, limit ratelimit.Limit, n int64) ratelimit.Decision {
	t.Helper()
	d, err := l.Take(t.Context(), key, limit, n)
	if err != nil {
		t.Fatalf("Take(%q, %+v, %d): %v", key, limit, n, err)
	}
	return d
}

// wantCounter checks the counter of the century's window.
func wantCounter(t *testing.T, client *redis.Client, key string, want int64) {
	t.Helper()
	got, err := client.Get(t.Context(), Options{}.CounterKey(key, centuryStart)).Int64()
	if err != nil || got != want {
		t.Errorf("the counter of %q is %d, %v; want %d", key, got, err, want)
	}
}

func wantNoKeys(t *testing.T, client *redis.Client, pattern string) {
	t.Helper()
	keys, err := client.Keys(t.Context(), pattern).Result()
	if err != nil || len(keys) != 0 {
		t.Errorf("keys %q, %v; want none that match %s", keys, err, pattern)
	}
}

// wantRedisError checks that callers can see Redis's own error through err.
func wantRedisError(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[redis.Error](err); !ok {
		t.Errorf("error %v does not wrap an error of Redis", err)
	}
}

// A sendHook sees each command before and after its round trip.
type sendHook struct {
	sent          atomic.Int64
	before, after func()
}

func (h *sendHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *sendHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.sent.Add(1)
		if h.before != nil {
			h.before()
		}
		err := next(ctx, cmd)
		if h.after != nil {
			h.after()
		}
		return err
	}
}

func (h *sendHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// loadScripts spares the tests that count round trips the first one's NOSCRIPT.
func loadScripts(t *testing.T, client *redis.Client) {
	t.Helper()
	for _, s := range []*script{takeFixed, takeSliding, takePace} {
		sha, err := client.ScriptLoad(t.Context(), s.source).Result()
		if err != nil {
			t.Fatal(err)
		}
		if sha != s.sha {
			t.Fatalf("Redis names the script %s, the limiter %s", sha, s.sha)
		}
	}
}
