//go:build unix

package redistest

import (
	"strings"
	"testing"
)

func TestClusterMovesASlot(t *testing.T) {
	t.Parallel()
	c := StartCluster(t)
	client := c.Client(t)
	ctx := t.Context()
	for _, key := range []string{"a", "b", "c", "d", "{a}2"} {
		if err := client.Set(ctx, key, "value of "+key, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	owners := map[int]bool{}
	for _, key := range []string{"a", "b", "c"} {
		owners[c.Owner(key)] = true
	}
	if len(owners) != 3 {
		t.Errorf("three keys lie on %d nodes", len(owners))
	}

	from := c.Owner("a")
	to := (from + 1) % 3
	m := c.Migrate("a", to)
	if err := c.nodes[from].Get(ctx, "{a}new").Err(); err == nil || !strings.HasPrefix(err.Error(), "ASK ") {
		t.Errorf("a new key of a slot on its way: %v, want ASK", err)
	}
	if got, err := client.Get(ctx, "a").Result(); err != nil || got != "value of a" {
		t.Errorf("a key that has not moved yet: %q, %v", got, err)
	}
	m.Move()
	if got, err := client.Get(ctx, "{a}2").Result(); err != nil || got != "value of {a}2" {
		t.Errorf("a key that moved: %q, %v", got, err)
	}
	m.Finish()
	if got := c.Owner("a"); got != to {
		t.Errorf("node %d serves the slot, want %d", got, to)
	}
	if err := c.nodes[from].Get(ctx, "a").Err(); err == nil || !strings.HasPrefix(err.Error(), "MOVED ") {
		t.Errorf("the former owner: %v, want MOVED", err)
	}
	if got, err := client.Get(ctx, "a").Result(); err != nil || got != "value of a" {
		t.Errorf("after the move: %q, %v", got, err)
	}
}

func TestClusterPromotesAReplica(t *testing.T) {
	t.Parallel()
	c := StartReplicated(t)
	client := c.Client(t)
	if err := client.Set(t.Context(), "a", "value of a", 0).Err(); err != nil {
		t.Fatal(err)
	}
	master := c.Owner("a")
	c.InStep()
	c.Nodes[master].Stop()
	c.Promoted(master)
	if got, err := c.nodes[master+masters].Get(t.Context(), "a").Result(); err != nil || got != "value of a" {
		t.Errorf("from the replica: %q, %v", got, err)
	}
}
