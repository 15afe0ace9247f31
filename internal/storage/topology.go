package storage

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// reloadEvery is how old a map of a Cluster's slots becomes before it is asked for again.
	reloadEvery = 2 * time.Second
	// reloadPause is the least time between two reloads that trouble gives rise to.
	reloadPause = time.Second
	// stragglers is how long a node that has not told its map is waited for once
	// another has.
	stragglers = 50 * time.Millisecond
	// maxAsked bounds the nodes that are asked for a map, and maxSeeds the seeds among them.
	maxAsked, maxSeeds = 12, 4
)

var errNoMap = errors.New("no node of the cluster told its map of slots")

// A topology finds out which node of a Cluster serves which slot. It asks nodes of the
// last map and seeds side by side, through connections of its own: one that hangs holds
// up nobody, and when all nodes have new addresses, the seeds' names still lead to them.
type topology struct {
	seeds []string
	bound time.Duration // of asking
	ask   func(addr string) *redis.Client

	mu     sync.Mutex
	asking map[string]*redis.Client // by address
	known  []string                 // addresses of the last map
	ids    map[string]bool          // of its nodes
	closed bool
}

func newTopology(o Options) *topology {
	return &topology{
		seeds:  o.Addrs,
		bound:  maxDial + 2*o.Timeout, // a new connection's greeting is a round trip more
		asking: make(map[string]*redis.Client),
		ask: func(addr string) *redis.Client {
			u := universal(o)
			u.Addrs, u.MasterName, u.PoolSize = []string{addr}, "", 2
			return redis.NewClient(u.Simple())
		},
	}
}

// A view is what one node believes of the Cluster.
type view struct {
	from  string // whose it is
	slots []redis.ClusterSlot
	// epoch grows with each failover. Of nodes that have heard of the same ones, the
	// node with the highest epoch of its own was promoted last.
	epoch, own int64
	ok         bool // cluster_state
	err        error
}

// load returns the newest map that a node tells.
func (t *topology) load(ctx context.Context) ([]redis.ClusterSlot, error) {
	ctx, cancel := context.WithTimeout(ctx, t.bound)
	defer cancel()
	asked := t.whom()
	views := make(chan view, len(asked))
	for addr, client := range asked {
		go func() { views <- t.look(ctx, addr, client) }()
	}
	best, failed := view{}, errNoMap
	var late <-chan time.Time
	for range asked {
		select {
		case v := <-views:
			if v.err != nil {
				failed = v.err
				continue
			}
			if best.slots == nil || v.newer(best) {
				best = v
			}
			if late == nil {
				late = time.After(stragglers)
			}
			continue
		case <-late:
		}
		break
	}
	if best.slots == nil {
		return nil, failed
	}
	t.adopt(best.slots)
	return best.slots, nil
}

// whom returns the nodes to ask, by address.
func (t *topology) whom() map[string]*redis.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := make(map[string]*redis.Client)
	add := func(addrs []string, atMost int) {
		for _, i := range rand.Perm(len(addrs)) { //nolint:gosec // who is asked, no secret
			if addr := addrs[i]; len(asked) < atMost && !t.closed {
				if t.asking[addr] == nil {
					t.asking[addr] = t.ask(addr)
				}
				asked[addr] = t.asking[addr]
			}
		}
	}
	add(t.seeds, maxSeeds)
	add(t.known, maxAsked)
	return asked
}

// look asks one node.
func (t *topology) look(ctx context.Context, addr string, client *redis.Client) view {
	pipe := client.Pipeline()
	slots, info := pipe.ClusterSlots(ctx), pipe.ClusterInfo(ctx)
	_, _ = pipe.Exec(ctx) // each has its own error
	v := view{from: addr, slots: slots.Val(), err: slots.Err()}
	if v.err == nil && len(v.slots) == 0 {
		v.err = errors.New(addr + " knows of no slots")
	}
	if v.err == nil && !t.ours(addr, v.slots) {
		v.err = errors.New(addr + " belongs to another cluster now")
	}
	if v.err != nil {
		return v
	}
	for _, s := range v.slots {
		for i := range s.Nodes {
			s.Nodes[i].Addr = reachable(s.Nodes[i].Addr, addr)
		}
	}
	for line := range strings.Lines(info.Val()) { // "" where the user may not ask
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "cluster_state":
			v.ok = value == "ok"
		case "cluster_current_epoch":
			v.epoch, _ = strconv.ParseInt(value, 10, 64)
		case "cluster_my_epoch":
			v.own, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return v
}

func (v view) newer(than view) bool {
	flag := map[bool]int{true: 1}
	return cmp.Or(
		cmp.Compare(v.epoch, than.epoch),
		cmp.Compare(flag[v.ok], flag[than.ok]),
		cmp.Compare(v.own, than.own),
		cmp.Compare(than.from, v.from), // always the same, for what it tells may depend on the way to it
	) > 0
}

// ours reports whether a map is of the Cluster in use: an address that a node has left
// may belong to another Cluster by now. A seed is what the operator named.
func (t *topology) ours(addr string, slots []redis.ClusterSlot) bool {
	if slices.Contains(t.seeds, addr) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range slots {
		for _, n := range s.Nodes {
			if t.ids[n.ID] {
				return true
			}
		}
	}
	return len(t.ids) == 0
}

// reachable is the address of a node as the node at origin tells it, for whoever
// reached origin.
func reachable(addr, origin string) string {
	host, port, err := net.SplitHostPort(addr)
	originHost, originPort, originErr := net.SplitHostPort(origin)
	if err != nil || originErr != nil {
		return addr
	}
	if port == "0" { // it serves TLS alone, which older versions do not tell of
		port = originPort
	}
	from := net.ParseIP(originHost)
	near := originHost == "localhost" || from != nil && from.IsLoopback()
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsLoopback() && !near {
		host = originHost
	}
	return net.JoinHostPort(host, port)
}

// adopt notes the nodes of a map, and parts from those that are in it no longer.
func (t *topology) adopt(slots []redis.ClusterSlot) {
	addrs, ids := make(map[string]bool), make(map[string]bool)
	for _, s := range slots {
		for _, n := range s.Nodes {
			addrs[n.Addr], ids[n.ID] = true, true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.ids = slices.Collect(maps.Keys(addrs)), ids
	for addr, client := range t.asking {
		if !addrs[addr] && !slices.Contains(t.seeds, addr) {
			_ = client.Close()
			delete(t.asking, addr)
		}
	}
}

func (t *topology) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, client := range t.asking {
		_ = client.Close()
	}
}
