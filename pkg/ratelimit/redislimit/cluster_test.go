package redislimit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func TestClusterKeepsAKeyInOneSlot(t *testing.T) {
	t.Parallel()
	client := redistest.StartCluster(t).Client(t)
	tagged, plain := New(client, Options{HashTag: true}), New(client, Options{})

	for i := range 20 {
		key := fmt.Sprint("key", i)
		guard := Guard{Key: "token:{" + key + "}", Value: "record"}
		if err := client.Set(t.Context(), guard.Key, guard.Value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		for algorithm, limit := range limits {
			o, err := tagged.TakeIf(t.Context(), guard, key, limit, 2)
			if err != nil || o.Changed || o.Decision.Granted != 2 {
				t.Errorf("%s: TakeIf(%q) = %+v, %v; want 2 granted", algorithm, key, o, err)
			}
			if d := mustTake(t, plain, "plain"+key, limit, 2); d.Granted != 2 {
				t.Errorf("%s: Take(%q) with a hash tag by default = %+v, want 2 granted", algorithm, key, d)
			}
		}
	}

	for algorithm, limit := range limits {
		_, err := plain.TakeIf(t.Context(), Guard{Key: "token:key1", Value: "record"}, "key1", limit, 1)
		wantRedisError(t, err)
		if err != nil && !strings.Contains(err.Error(), "CROSSSLOT") {
			t.Errorf("%s: TakeIf over two slots: %v, want CROSSSLOT", algorithm, err)
		}
	}
}

// Around the move of a key's slot to another node no permit is granted twice or
// lost. While the slot is on its way Redis may refuse to run a script whose keys
// do not all exist yet; that takes nothing.
func TestClusterKeepsCountWhileASlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	limiter := New(cluster.Client(t), Options{})
	for algorithm, limit := range limits {
		limit.Window *= 1000 // so that nothing flows back meanwhile
		limit.MaxDelay *= 1000
		key := string(algorithm)
		most := mustTake(t, limiter, "most"+key, limit, ratelimit.MaxPermits).Granted
		granted := mustTake(t, limiter, key, limit, 1).Granted

		tag := "{" + key + "}"
		m := cluster.Migrate(tag, (cluster.Owner(tag)+1)%len(cluster.Nodes))
		m.Move()
		d, err := limiter.Take(t.Context(), key, limit, 1)
		if err != nil && !strings.Contains(err.Error(), "TRYAGAIN") {
			t.Errorf("%s: on the way: %v", algorithm, err)
		}
		granted += d.Granted
		m.Finish()
		granted += mustTake(t, limiter, key, limit, ratelimit.MaxPermits).Granted
		if granted != most {
			t.Errorf("%s: %d permits were granted around the move, want %d", algorithm, granted, most)
		}
	}
}

func TestANodeIsForgotten(t *testing.T) {
	t.Parallel()
	client := redistest.StartCluster(t).Client(t)
	limiter := New(client, Options{})
	known := func() (n int) {
		limiter.nodes.Range(func(any, any) bool { n++; return true })
		return n
	}
	mustTake(t, limiter, "k", limits[ratelimit.FixedWindow], 1)
	node, err := client.MasterForKey(t.Context(), "{k}")
	if err != nil || known() != 1 {
		t.Fatalf("%d nodes, %v", known(), err)
	}
	limiter.Forget(node)
	if n := known(); n != 0 {
		t.Errorf("%d nodes are remembered", n)
	}
	mustTake(t, limiter, "k", limits[ratelimit.FixedWindow], 1)
}
