package storage

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

const (
	// loadPause is how long a map of slots, or the failure to get one, does for those
	// who ask for it next.
	loadPause = 200 * time.Millisecond
	// keepRetired is how long a node that left the map is remembered. The client may
	// use it again within a minute.
	keepRetired = 5 * time.Minute
)

// A Site is the Redis in use: one server (perhaps by Sentinels' word), or a Cluster.
type Site struct {
	Client  redis.UniversalClient
	Limiter *redislimit.Limiter
	prefix  string // of records' names
	now     func() time.Time

	// one is the one server. Of a Cluster it stands for all nodes until one has told the map.
	one *node

	Cluster  *redis.ClusterClient // nil for one server
	topology *topology
	located  atomic.Bool  // the map is known
	nodes    sync.Map     // *redis.Client → *clusterNode
	reloaded atomic.Int64 // when trouble last gave rise to a reload, in Unix nanoseconds

	loading chan struct{} // held while the map is asked for; guards what follows
	loaded  time.Time
	slots   []redis.ClusterSlot
	failed  error
}

// clusterNode is a node of a Cluster.
type clusterNode struct {
	node
	addr    string
	retired time.Time // since when it has been no master; zero if it is one
}

// newSite opens no connection.
func (st *Store) newSite(cluster bool) *Site {
	s := &Site{prefix: st.opts.Prefix, now: st.now, loading: make(chan struct{}, 1)}
	u := universal(st.opts)
	dial := u.Dialer
	if cluster {
		s.one = &node{breaker: st.newBreaker("", nil)}
		s.topology = newTopology(st.opts)
		o := u.Cluster()
		o.ClusterSlots, o.ClusterStateReloadInterval = s.load, reloadEvery
		o.NewClient = func(o *redis.Options) *redis.Client { return st.newNode(s, o, dial) }
		s.Cluster = redis.NewClusterClient(o)
		s.Client = s.Cluster
	} else {
		s.one = &node{}
		s.one.breaker = st.newBreaker(addrs(st.opts), &s.one.conns)
		s.one.met = st.metByOne
		u.Dialer = s.one.conns.dialer(dial)
		s.Client = redis.NewUniversalClient(u)
		s.one.client = s.Client
		s.Client.AddHook(s.one)
	}
	s.Limiter = redislimit.New(s.Client, redislimit.Options{
		HashTag: cluster,
		Spent:   st.opts.CacheSize,
		Timeout: st.opts.Timeout,
		Observe: st.exchanged,
		Now:     st.opts.Now,
	})
	return s
}

// newNode makes the client of one node of a Cluster.
func (st *Store) newNode(s *Site, o *redis.Options, dial dialer) *redis.Client {
	// The client takes loopback addresses out of a map whose origin it does not know.
	if host, _, err := net.SplitHostPort(o.Addr); err == nil && host == "" && o.NodeAddress != "" {
		o.Addr = o.NodeAddress
	}
	n := &clusterNode{addr: o.Addr}
	n.breaker = st.newBreaker(o.Addr, &n.conns)
	n.met = s.met
	o.Dialer = n.conns.dialer(dial)
	client := redis.NewClient(o)
	n.client = client
	client.AddHook(n)
	s.nodes.Store(client, n)
	return client
}

func (s *Site) close() error {
	if s.topology != nil {
		s.topology.close()
	}
	return s.Client.Close()
}

// RecordName is the name of a key's record at this site.
func (s *Site) RecordName(apiKey string) string {
	if s.Cluster != nil {
		return s.prefix + "{" + apiKey + "}"
	}
	return s.prefix + apiKey
}

// Bind gives rec, which is a record of apiKey, its name at this site.
func (s *Site) Bind(rec *Record, apiKey string) {
	rec.name, rec.tagged = s.RecordName(apiKey), s.Cluster != nil
}

// Bound reports whether rec has the name that it has at this site.
func (s *Site) Bound(rec *Record) bool { return rec.tagged == (s.Cluster != nil) }

// Allows reports whether a request of apiKey may wait for the server that holds it,
// for the server answers others, or it is time to try. It never waits.
func (s *Site) Allows(ctx context.Context, apiKey string) bool {
	return s.breakerOf(ctx, apiKey).allow()
}

// breakerOf is that of the server which holds what belongs to apiKey.
func (s *Site) breakerOf(ctx context.Context, apiKey string) *breaker {
	if s.Cluster == nil || !s.located.Load() {
		return &s.one.breaker
	}
	if client, err := s.Cluster.MasterForKey(ctx, "{"+apiKey+"}"); err == nil {
		if n, ok := s.nodes.Load(client); ok {
			return &n.(*clusterNode).breaker
		}
	}
	return &s.one.breaker
}

// met has the map asked for again when it may be old.
func (s *Site) met(kind string) {
	switch kind {
	case "timeout", "connection", "clusterdown", "masterdown", "readonly":
	default:
		return
	}
	last, now := s.reloaded.Load(), time.Now().UnixNano()
	if now-last >= int64(reloadPause) && s.reloaded.CompareAndSwap(last, now) {
		s.Cluster.ReloadState(context.Background()) // in the background
	}
}

// load is the client's way to the Cluster's map.
func (s *Site) load(ctx context.Context) ([]redis.ClusterSlot, error) {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Since(s.loaded) < loadPause {
		return s.slots, s.failed
	}
	slots, err := s.topology.load(ctx)
	if ctx.Err() == nil {
		s.loaded, s.slots, s.failed = time.Now(), slots, err
	}
	if err != nil {
		if !s.located.Load() {
			s.one.report(err)
		}
		return nil, err
	}
	masters := make(map[string]bool)
	for _, r := range slots {
		masters[r.Nodes[0].Addr] = true
	}
	s.nodes.Range(func(client, n any) bool {
		if n := n.(*clusterNode); n.retire(!masters[n.addr]) {
			s.nodes.Delete(client)
		}
		return true
	})
	s.located.Store(true)
	s.one.breaker.report(true)
	return slots, nil
}

// retire notes whether the node is a master no longer, and reports whether it has
// been none for so long that it can be forgotten.
func (n *clusterNode) retire(yes bool) (forget bool) {
	n.breaker.retire(yes)
	switch {
	case !yes:
		n.retired = time.Time{}
	case n.retired.IsZero():
		n.retired = time.Now()
	}
	return yes && time.Since(n.retired) > keepRetired
}

// Recheck asks the nodes of a Cluster that requests do not wait for whether they answer
// again, so that their breakers close without a request that tries. (One server's is
// closed by any sign of life.)
func (st *Store) Recheck(ctx context.Context) {
	ctx, cancel := st.Budget(ctx)
	defer cancel()
	var asked sync.WaitGroup
	st.At().nodes.Range(func(_, n any) bool {
		if n := n.(*clusterNode); n.breaker.open.Load() {
			asked.Go(func() { _ = n.client.Ping(ctx).Err() }) // the hook hears how it ends
		}
		return true
	})
	asked.Wait()
}
