package redislimit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// startCluster returns a client of a Redis Cluster of one node.
func startCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	server := redistest.Start(t, "--cluster-enabled", "yes")
	node := server.Client(t)
	if err := node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	// A node lets two seconds go by before it takes writes.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for info := ""; !strings.Contains(info, "cluster_state:ok"); {
		select {
		case <-ctx.Done():
			t.Fatalf("the cluster does not come up: %s\n%s", info, server.Log())
		case <-poll.C:
		}
		var err error
		if info, err = node.ClusterInfo(ctx).Result(); err != nil {
			t.Fatal(err)
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestClusterKeepsAKeyInOneSlot(t *testing.T) {
	t.Parallel()
	client := startCluster(t)
	limit := ratelimit.Limit{Permits: 2, Window: century}
	tagged, plain := New(client, Options{HashTag: true}), New(client, Options{})

	for i := range 20 {
		key := fmt.Sprint("key", i)
		guard := Guard{Key: "token:{" + key + "}", Value: "record"}
		if err := client.Set(t.Context(), guard.Key, guard.Value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		o, err := tagged.TakeIf(t.Context(), guard, key, limit, 3)
		if err != nil || o.Changed || o.Decision.Granted != 2 {
			t.Errorf("TakeIf(%q) = %+v, %v; want 2 granted", key, o, err)
		}
		if d := mustTake(t, plain, "plain"+key, limit, 3); d.Granted != 2 {
			t.Errorf("Take(%q) with a hash tag by default = %+v, want 2 granted", key, d)
		}
	}

	_, err := plain.TakeIf(t.Context(), Guard{Key: "token:key1", Value: "record"}, "key1", limit, 1)
	wantRedisError(t, err)
	if err != nil && !strings.Contains(err.Error(), "CROSSSLOT") {
		t.Errorf("TakeIf over two slots: %v, want CROSSSLOT", err)
	}
}
