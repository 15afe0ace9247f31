package redislimit

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// A server that takes connections and says nothing is waited for by the client's
// own time-outs, which are far longer, unless the limiter's comes first.
func TestTimeoutBoundsAServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // its backlog accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	addr := silent.Addr().String()
	const never = time.Hour
	for name, client := range map[string]redis.UniversalClient{
		"standalone": redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: never, ContextTimeoutEnabled: true}),
		"cluster":    redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}, ReadTimeout: never, ContextTimeoutEnabled: true}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { _ = client.Close() })
			limiter := New(client, Options{Timeout: 20 * time.Millisecond})
			_, err := limiter.Take(t.Context(), "key", ratelimit.Limit{Permits: 1, Window: time.Second}, 1)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Take = %v, want %v", err, context.DeadlineExceeded)
			}
		})
	}
}
