package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	slots          = 16384
	clusterTimeout = 30 * time.Second
)

// A Cluster is a Redis Cluster of the test's own: three masters that share the
// slots, perhaps with a replica of each. Its methods may be called from the goroutine
// that runs the test only.
type Cluster struct {
	// Nodes are the masters as they were started, in the order of their slots, and
	// then their replicas in the same order.
	Nodes []*Server

	t     testing.TB
	nodes []node
}

// A node is one server, under the name that the others know it by.
type node struct {
	*redis.Client
	id string
}

const masters = 3

// StartCluster starts three masters and returns when each of them takes writes for
// its slots, which Redis does after two seconds. It ends with the test.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	c.start("--cluster-node-timeout", "5000")
	c.join(masters)
	return c
}

// StartReplicated starts three masters with a replica each, which takes its master's
// place half a second to two seconds after that was last heard. Keys of the other
// masters are served meanwhile. It returns when replicas could be promoted.
func StartReplicated(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	args := []string{
		"--cluster-node-timeout", "500", "--cluster-require-full-coverage", "no",
		"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
	}
	c.start(args...)
	c.join(masters)
	c.start(args...)
	c.join(2 * masters)
	for i, n := range c.nodes[masters:] {
		c.await("a replica knows its master", func(ctx context.Context) (string, bool) {
			err := n.ClusterReplicate(ctx, c.nodes[i].id).Err()
			return fmt.Sprint(err), err == nil
		})
	}
	c.await("the replicas are known and in step", func(ctx context.Context) (string, bool) {
		for _, n := range c.nodes {
			nodes, err := n.ClusterNodes(ctx).Result()
			if err != nil || strings.Count(nodes, "slave") != masters {
				return fmt.Sprint(nodes, err), false
			}
		}
		for _, n := range c.nodes[masters:] {
			if info := n.Info(ctx, "replication").Val(); !strings.Contains(info, "master_link_status:up") {
				return info, false
			}
		}
		return "", true
	})
	return c
}

// start starts three nodes; the first three become masters.
func (c *Cluster) start(args ...string) {
	c.t.Helper()
	first := len(c.nodes)
	for range masters {
		// The bus gets a port of its own: the usual one, 10000 above, may not exist.
		bus, err := freePort()
		if err != nil {
			c.t.Fatalf("redistest: no free port: %v", err)
		}
		s := Start(c.t, append([]string{"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus)}, args...)...)
		c.Nodes = append(c.Nodes, s)
		n := node{Client: s.Client(c.t)}
		if n.id, err = n.Do(c.t.Context(), "CLUSTER", "MYID").Text(); err != nil {
			c.t.Fatalf("redistest: %v\n%s", err, s.Log())
		}
		c.nodes = append(c.nodes, n)
		if i := len(c.nodes) - 1; first == 0 {
			c.must(n.ClusterAddSlotsRange(c.t.Context(), i*slots/masters, (i+1)*slots/masters-1).Err())
			// Without epochs of their own from the start the nodes would take a while to agree.
			c.must(n.Do(c.t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		}
		host, port, err := net.SplitHostPort(s.Addr)
		c.must(err)
		c.must(c.nodes[0].Do(c.t.Context(), "CLUSTER", "MEET", host, port, bus).Err())
	}
}

// join waits until all nodes know one another.
func (c *Cluster) join(known int) {
	c.t.Helper()
	c.await("the cluster is up", func(ctx context.Context) (string, bool) {
		for _, n := range c.nodes {
			info, err := n.ClusterInfo(ctx).Result()
			if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", known)) {
				return fmt.Sprint(info, err), false
			}
		}
		return "", true
	})
}

// InStep returns when every replica has got what its master had been sent before.
func (c *Cluster) InStep() {
	c.t.Helper()
	offset := func(ctx context.Context, n node, field string) int {
		_, after, _ := strings.Cut(n.Info(ctx, "replication").Val(), "\r\n"+field+":")
		text, _, _ := strings.Cut(after, "\r\n")
		at, err := strconv.Atoi(text)
		c.must(err)
		return at
	}
	for i, replica := range c.nodes[masters:] {
		sent := offset(c.t.Context(), c.nodes[i], "master_repl_offset")
		c.await("a replica is in step", func(ctx context.Context) (string, bool) {
			got := offset(ctx, replica, "slave_repl_offset")
			return fmt.Sprintf("%d of %d", got, sent), got >= sent
		})
	}
}

// Promoted returns when a replica serves a master's slots in its place, by the word
// of all nodes but that one.
func (c *Cluster) Promoted(master int) {
	c.t.Helper()
	slot := master * slots / masters
	c.await("a replica is promoted", func(ctx context.Context) (string, bool) {
		for i, n := range c.nodes {
			if i == master {
				continue
			}
			if owner := c.ownerBy(ctx, n, slot); owner != master+masters {
				return fmt.Sprintf("node %d takes %d for the owner", i, owner), false
			}
		}
		return "", true
	})
}

// Announce has a node tell clients another port of its address from now on, and
// returns when all nodes tell it.
func (c *Cluster) Announce(node int, addr string) {
	c.t.Helper()
	_, port, err := net.SplitHostPort(addr)
	c.must(err)
	c.must(c.nodes[node].ConfigSet(c.t.Context(), "cluster-announce-port", port).Err())
	c.await("the new address is known", func(ctx context.Context) (string, bool) {
		for _, n := range c.nodes {
			nodes, err := n.ClusterNodes(ctx).Result()
			if err != nil || !strings.Contains(nodes, addr+"@") {
				return fmt.Sprint(nodes, err), false
			}
		}
		return "", true
	})
}

// Addrs are the nodes' addresses, in the order of their slots.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, s := range c.Nodes {
		addrs[i] = s.Addr
	}
	return addrs
}

// Client returns a client of the cluster that is closed with the test. It follows
// redirections, up to go-redis' default.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), ContextTimeoutEnabled: true})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("redistest: close client: %v", err)
		}
	})
	return client
}

// Owner is the index of the node that serves a key.
func (c *Cluster) Owner(key string) int {
	c.t.Helper()
	owner := c.owner(c.slot(key))
	if owner < 0 {
		c.t.Fatalf("redistest: nobody serves %q", key)
	}
	return owner
}

// A Migration is a slot on its way from one node to another.
type Migration struct {
	c        *Cluster
	slot     int
	from, to int
}

// Migrate begins to move the slot of a key to another node. From then on the owner
// answers ASK for keys of the slot that it does not hold, and TRYAGAIN when it
// holds only some of a command's; the other answers MOVED unless it is asked.
func (c *Cluster) Migrate(key string, to int) *Migration {
	c.t.Helper()
	m := &Migration{c: c, slot: c.slot(key), from: c.Owner(key), to: to}
	if m.from == to {
		c.t.Fatalf("redistest: node %d serves %q already", to, key)
	}
	c.must(c.nodes[to].Do(c.t.Context(), "CLUSTER", "SETSLOT", m.slot, "IMPORTING", c.nodes[m.from].id).Err())
	c.must(c.nodes[m.from].Do(c.t.Context(), "CLUSTER", "SETSLOT", m.slot, "MIGRATING", c.nodes[to].id).Err())
	return m
}

// Move takes over every key that the slot holds now.
func (m *Migration) Move() {
	c := m.c
	c.t.Helper()
	host, port, err := net.SplitHostPort(c.Nodes[m.to].Addr)
	c.must(err)
	for {
		keys, err := c.nodes[m.from].ClusterGetKeysInSlot(c.t.Context(), m.slot, 100).Result()
		c.must(err)
		if len(keys) == 0 {
			return
		}
		args := []any{"MIGRATE", host, port, "", 0, clusterTimeout.Milliseconds(), "KEYS"}
		for _, key := range keys {
			args = append(args, key)
		}
		c.must(c.nodes[m.from].Do(c.t.Context(), args...).Err())
	}
}

// Finish moves what is left and hands the slot over: from then on the former owner
// answers MOVED. It returns when every node knows.
func (m *Migration) Finish() {
	c := m.c
	c.t.Helper()
	m.Move()
	// The new owner first: until it knows, the two would send callers to and fro.
	for _, i := range []int{m.to, m.from} {
		c.must(c.nodes[i].Do(c.t.Context(), "CLUSTER", "SETSLOT", m.slot, "NODE", c.nodes[m.to].id).Err())
	}
	c.await("the new owner is known", func(ctx context.Context) (string, bool) {
		for _, n := range c.nodes {
			if owner := c.ownerBy(ctx, n, m.slot); owner != m.to {
				return fmt.Sprintf("one node takes %d for the owner", owner), false
			}
		}
		return "", true
	})
}

func (c *Cluster) slot(key string) int {
	c.t.Helper()
	slot, err := c.nodes[0].ClusterKeySlot(c.t.Context(), key).Result()
	c.must(err)
	return int(slot)
}

func (c *Cluster) owner(slot int) int { return c.ownerBy(c.t.Context(), c.nodes[0], slot) }

// ownerBy is the index of a slot's owner as one node sees it, or -1.
func (c *Cluster) ownerBy(ctx context.Context, n node, slot int) int {
	shards, err := n.ClusterShards(ctx).Result()
	if err != nil {
		return -1
	}
	for _, shard := range shards {
		for _, r := range shard.Slots {
			if r.Start <= int64(slot) && int64(slot) <= r.End {
				for _, told := range shard.Nodes {
					if told.Role == "master" && told.Health == "online" {
						return slices.IndexFunc(c.nodes, func(n node) bool { return n.id == told.ID })
					}
				}
			}
		}
	}
	return -1
}

// await asks until it is so; what says how it stands instead.
func (c *Cluster) await(what string, so func(context.Context) (stands string, yes bool)) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), clusterTimeout)
	defer cancel()
	poll := time.NewTicker(4 * pollInterval)
	defer poll.Stop()
	for {
		stands, yes := so(ctx)
		if yes {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("redistest: after %v not yet: %s: %s\n%s", clusterTimeout, what, stands, c.Nodes[0].Log())
		case <-poll.C:
		}
	}
}

func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("redistest: cluster: %v", err)
	}
}
