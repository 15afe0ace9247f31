package storage_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func apiKey(i int) string { return fmt.Sprintf("key-%020d", i) }

func anyone(*storage.Record) error { return nil }

// open is a store on a server of the test's own.
func open(t *testing.T, server *redistest.Server, change ...func(*storage.Options)) *storage.Store {
	t.Helper()
	o := storage.Options{Addrs: []string{server.Addr}, Timeout: 10 * time.Second, Prefix: "token:", DefaultLimit: ratelimit.Limit{Window: time.Minute}}
	for _, c := range change {
		c(&o)
	}
	store := storage.Open(o)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// soon is how long after Redis can serve again requests may fail. It takes a second or
// two; a busy machine may take longer. Without reloading the map it takes a minute.
const soon = 15 * time.Second

// A crowdOnCluster asks for permits of keys of each master. Its requests are some
// milliseconds apart, so that only the cluster can make them late.
type crowdOnCluster struct {
	t       *testing.T
	cluster *redistest.Cluster
	keys    *registry.Registry
	book    *ledger.Ledger
	served  [][]atomic.Int64 // by master and asker
	failed  []atomic.Int64   // by master
	lastBad []atomic.Int64   // when, in Unix nanoseconds
	stop    func()
}

// startCrowd starts a crowd on a ledger of the cluster; masters are the nodes' indices at the start.
func startCrowd(t *testing.T, cluster *redistest.Cluster, change ...func(*storage.Options)) *crowdOnCluster {
	t.Helper()
	const masters, askers = 3, 3
	c := &crowdOnCluster{
		t: t, cluster: cluster,
		served: make([][]atomic.Int64, masters), failed: make([]atomic.Int64, masters), lastBad: make([]atomic.Int64, masters),
	}
	for m := range c.served {
		c.served[m] = make([]atomic.Int64, askers)
	}
	o := storage.Options{
		Addrs: cluster.Addrs(), Timeout: time.Second, Prefix: "token:",
		DefaultLimit: ratelimit.Limit{Window: time.Minute}, CacheSize: 100,
	}
	for _, f := range change {
		f(&o)
	}
	store := storage.Open(o)
	t.Cleanup(func() { _ = store.Close() })
	c.keys, c.book = registry.New(store), ledger.New(store, ledger.Options{CacheSize: 100})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	c.stop = func() { cancel(); all.Wait() }
	t.Cleanup(c.stop)
	all.Go(func() { c.book.Watch(ctx) })
	keys := make([][]string, masters)
	for i := 0; slices.ContainsFunc(keys, func(k []string) bool { return len(k) < askers }); i++ {
		key := apiKey(i)
		owner := cluster.Owner("{" + key + "}")
		if len(keys[owner]) < askers {
			keys[owner] = append(keys[owner], key)
			c.eventually("a record is written", func() bool {
				end := time.Now().Add(time.Hour)
				_, err := c.keys.Create(t.Context(), storage.Grant{APIKey: key, RateLimit: 1_000_000_000, ExpiresAt: end, Expires: end.Unix()}, time.Hour)
				return err == nil || errors.Is(err, registry.ErrExists)
			})
		}
	}
	for master, theirs := range keys {
		for i, key := range theirs {
			all.Go(func() { c.ask(ctx, master, &c.served[master][i], key) })
		}
	}
	c.serves(0, 1, 2)
	return c
}

func (c *crowdOnCluster) ask(ctx context.Context, master int, served *atomic.Int64, key string) {
	next := time.NewTicker(3 * time.Millisecond)
	defer next.Stop()
	for ctx.Err() == nil {
		_, err := c.book.Take(ctx, key, anyone)
		switch {
		case err == nil:
			served.Add(1)
		case ctx.Err() == nil:
			c.failed[master].Add(1)
			c.lastBad[master].Store(time.Now().UnixNano())
			if !errors.Is(err, storage.ErrUnavailable) {
				c.t.Errorf("a key of master %d: %v", master, err)
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-next.C:
		}
	}
}

// serves waits until every asker for these masters gets permits again, and for a while
// nothing else. Then no request is left that began in bad times and may yet fail.
func (c *crowdOnCluster) serves(masters ...int) {
	c.t.Helper()
	for _, m := range masters {
		failed, served := int64(-1), make([]int64, len(c.served[m]))
		c.eventually(fmt.Sprint("permits for keys of master ", m), func() bool {
			if n := c.failed[m].Load(); n != failed {
				failed = n
				for i := range served {
					served[i] = c.served[m][i].Load()
				}
			}
			for i := range served {
				if c.served[m][i].Load() < served[i]+70 {
					return false
				}
			}
			return true
		})
	}
}

func (c *crowdOnCluster) eventually(what string, so func() bool) {
	c.t.Helper()
	late := time.After(60 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-late:
			c.t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// unharmed holds that no key of these masters was refused since before.
func (c *crowdOnCluster) unharmed(before []int64, masters ...int) {
	c.t.Helper()
	for _, m := range masters {
		if n := c.failed[m].Load() - before[m]; n != 0 {
			c.t.Errorf("%d requests for keys of healthy master %d failed", n, m)
		}
	}
}

func (c *crowdOnCluster) failures() []int64 {
	n := make([]int64, len(c.failed))
	for i := range n {
		n[i] = c.failed[i].Load()
	}
	return n
}

// soonAfter holds that nothing failed later than soon after at.
func (c *crowdOnCluster) soonAfter(at time.Time) {
	c.t.Helper()
	for m := range c.lastBad {
		if bad := time.Unix(0, c.lastBad[m].Load()); bad.Sub(at) > soon {
			c.t.Errorf("a key of master %d was refused %v after Redis was well", m, bad.Sub(at))
		}
	}
}

// noted keeps what an operator would count.
type noted struct {
	open atomic.Bool
}

func (*noted) Shared(int) {}

func (n *noted) Tripped(open bool) { n.open.Store(open) }

// While a master is dead and its replica not yet promoted, its keys are refused. Keys of
// the other masters do not notice, and all are served soon after the promotion.
func TestAMasterDies(t *testing.T) {
	for name, strike := range map[string]func(*redistest.Server){
		"killed": (*redistest.Server).Stop,
		"hung":   (*redistest.Server).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartReplicated(t)
			events := &noted{}
			c := startCrowd(t, cluster, func(o *storage.Options) { o.Events = events })
			cluster.InStep()
			before := c.failures()
			strike(cluster.Nodes[1])
			cluster.Promoted(1)
			promoted := time.Now()
			c.serves(0, 1, 2)
			c.unharmed(before, 0, 2)
			c.soonAfter(promoted)
			t.Logf("last refused %v after the promotion, %d in all",
				time.Unix(0, c.lastBad[1].Load()).Sub(promoted), c.failures()[1])
			c.eventually("no breaker is open", func() bool { return !events.open.Load() })
			// Every other command goes to the new master, too.
			if keys, err := c.keys.Keys(t.Context(), "", 100); err != nil || len(keys) != 9 {
				t.Errorf("%d keys, %v", len(keys), err)
			}
			c.stop()
		})
	}
}

// moving is a cluster whose nodes are reached by names, and get new addresses.
type moving struct {
	cluster *redistest.Cluster
	wires   []*redistest.Wire // to each node

	mu    sync.Mutex
	names map[string]string // a name → the address it has now
}

func startMoving(t *testing.T) *moving {
	m := &moving{cluster: redistest.StartCluster(t), names: map[string]string{}}
	m.wires = make([]*redistest.Wire, len(m.cluster.Nodes))
	for i := range m.wires {
		m.move(t, i, nil)
	}
	return m
}

func name(node int) string { return fmt.Sprintf("redis-%d.test:6379", node) }

// move gives a node a new address, and has gone done with the way to the old one.
func (m *moving) move(t *testing.T, node int, gone func(*redistest.Wire)) {
	if old := m.wires[node]; old != nil {
		gone(old)
	}
	m.wires[node] = redistest.StartWire(t, m.cluster.Nodes[node].Addr)
	m.cluster.Announce(node, m.wires[node].Addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names[name(node)] = m.wires[node].Addr
}

// dial resolves names as DNS would. The nodes tell loopback addresses, of which the
// client makes another port at the name that it asked.
func (m *moving) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	m.mu.Lock()
	at, named := m.names[addr]
	m.mu.Unlock()
	if !named {
		_, port, _ := net.SplitHostPort(addr)
		at = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, at)
}

// When nodes get new addresses, all at once or one by one, their keys are served soon
// after the names lead there; whether the old address refuses or says nothing.
func TestNodesGetNewAddresses(t *testing.T) {
	for name, gone := range map[string]func(*redistest.Wire){
		"refused": (*redistest.Wire).Close,
		"silent":  (*redistest.Wire).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMoving(t)
			c := startCrowd(t, m.cluster, func(o *storage.Options) { o.Addrs, o.Dial = m.seeds(), m.dial })
			for i := range m.wires {
				before := c.failures()
				m.move(t, i, gone)
				moved := time.Now()
				c.serves(0, 1, 2)
				c.unharmed(before, (i+1)%3, (i+2)%3)
				c.soonAfter(moved)
				t.Logf("node %d: last refused %v after", i, time.Unix(0, c.lastBad[i].Load()).Sub(moved))
			}
			for i := range m.wires {
				gone(m.wires[i])
			}
			for i := range m.wires {
				m.move(t, i, func(*redistest.Wire) {})
			}
			moved := time.Now()
			c.serves(0, 1, 2)
			c.soonAfter(moved)
			c.stop()
		})
	}
}

func (m *moving) seeds() []string {
	seeds := make([]string, len(m.wires))
	for i := range seeds {
		seeds[i] = name(i)
	}
	return seeds
}

// A Cluster that is named by one of its nodes alone is used as what it is: when it is
// there from the start, and when it comes later.
func TestAClusterNamedByOneSeed(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	c := startCrowd(t, cluster, func(o *storage.Options) { o.Addrs = cluster.Addrs()[:1] })
	if n := c.failures(); !slices.Equal(n, []int64{0, 0, 0}) {
		t.Errorf("%d requests failed, by master", n)
	}
	if name := c.keys.RecordName("k"); name != "token:{k}" {
		t.Errorf("a record is named %s", name)
	}
	if keys, err := c.keys.Keys(t.Context(), "", 100); err != nil || len(keys) != 9 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	c.stop()
}

// What was one server by all that was known is a Cluster at the first MOVED.
func TestAServerBecomesACluster(t *testing.T) {
	t.Parallel()
	server, cluster := redistest.Start(t), redistest.StartCluster(t)
	var now atomic.Pointer[string]
	now.Store(&server.Addr)
	var d net.Dialer
	store := storage.Open(storage.Options{
		Addrs: cluster.Addrs()[:1], Timeout: 10 * time.Second, Prefix: "token:", DefaultLimit: ratelimit.Limit{Window: time.Minute},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == cluster.Addrs()[0] {
				addr = *now.Load()
			}
			return d.DialContext(ctx, network, addr)
		},
	})
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Ping(t.Context()); err != nil || store.RecordName("k") != "token:k" {
		t.Fatalf("%s, %v; want one server", store.RecordName("k"), err)
	}
	now.Store(&cluster.Addrs()[0])
	server.Stop()
	book := ledger.New(store, ledger.Options{})
	for i := range 9 {
		_, _ = book.Take(t.Context(), apiKey(i), anyone)
	}
	if _, err := book.Take(t.Context(), apiKey(0), anyone); !errors.Is(err, storage.ErrUnknown) || store.RecordName("k") != "token:{k}" {
		t.Errorf("after MOVED: %v, a record is named %s", err, store.RecordName("k"))
	}
}

// What Redis is, is found out when it comes; until then nothing is read or written by a
// name that could be wrong.
func TestModeIsFoundWhenRedisComes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args   []string
		record string
	}{
		"one server": {nil, "token:k"},
		"a cluster":  {[]string{"--cluster-enabled", "yes"}, "token:{k}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, tt.args...)
			store := open(t, server)
			server.Stop()
			if err := store.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("while it is away: %v", err)
			}
			if _, err := ledger.New(store, ledger.Options{}).Take(t.Context(), "k", nil); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a request while it is away: %v", err)
			}
			server.Restart()
			_ = store.Ping(t.Context()) // a cluster that serves no slots is found all the same
			if got := store.RecordName("k"); got != tt.record {
				t.Errorf("a record is named %s, want %s", got, tt.record)
			}
		})
	}
}
