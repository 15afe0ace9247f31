package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The values of [Options.Cluster].
const (
	ClusterAuto = "auto"
	ClusterOn   = "on"
	ClusterOff  = "off"
)

// cluster reports whether the options alone say that Redis is a Cluster, and known
// whether they say which it is: a single address may be a server's or a Cluster's.
func (o Options) cluster() (cluster, known bool) {
	switch {
	case o.MasterName != "" || o.Cluster == ClusterOff:
		return false, true
	case o.Cluster == ClusterOn || len(o.Addrs) > 1:
		return true, true
	}
	return false, false
}

// At is the Redis in use.
func (st *Store) At() *Site { return st.site.Load() }

// Find learns whether Redis is a Cluster, unless that is known. Names depend on it, so
// nothing is read or written before. Cost: one round trip, once.
func (st *Store) Find(ctx context.Context) error {
	if st.found.Load() {
		return nil
	}
	select {
	case st.finding <- struct{}{}:
		defer func() { <-st.finding }()
	case <-ctx.Done():
		return st.Fault(ctx.Err())
	}
	if st.found.Load() {
		return nil
	}
	start := st.now()
	cluster, err := isCluster(ctx, st.At().Client)
	st.Observe("mode", start, err)
	if err != nil {
		return st.Fault(err)
	}
	if cluster {
		st.becomeCluster()
	}
	st.found.Store(true)
	return nil
}

// isCluster asks a server for its mode. HELLO tells it to every user.
func isCluster(ctx context.Context, client redis.UniversalClient) (bool, error) {
	told, err := client.Do(ctx, "HELLO", "3").Result()
	if err != nil {
		if strings.Contains(err.Error(), "not allowed in cluster mode") { // of SELECT
			return false, fmt.Errorf("redis is a cluster, which has no other database than 0: set redis.db to 0: %w", err)
		}
		// What knows no HELLO, such as a proxy, passes for one server.
		if Classify(err) == "reply" {
			return false, nil
		}
		return false, err
	}
	fields, _ := told.(map[any]any)
	return fields["mode"] == "cluster", nil
}

// metByOne takes in what the one server said: that a key lies elsewhere is a
// Cluster's word.
func (st *Store) metByOne(kind string) {
	if _, told := st.opts.cluster(); kind == "moved" && !told {
		st.becomeCluster()
	}
}

// becomeCluster goes on with Redis as a Cluster. What was asked of it as one server
// has failed, or will: a script's names lie in several slots then.
func (st *Store) becomeCluster() {
	st.changing.Lock()
	defer st.changing.Unlock()
	old := st.At()
	if old.Cluster != nil || st.closed {
		return
	}
	st.opts.Logger.Info("redis is a cluster: every request goes to the node that serves its key", "addr", addrs(st.opts))
	st.site.Store(st.newSite(true))
	old.one.breaker.retire(true)
	go func() { _ = old.close() }() // a call of its own may be under way in this goroutine
}

// newBreaker makes the breaker of the server at addr, whose connections are dropped when it opens.
func (st *Store) newBreaker(addr string, held *conns) breaker {
	return breaker{now: st.now, changed: func(open bool) {
		if open && held != nil {
			held.drop()
		}
		st.tripped(addr, open)
	}}
}

// tripped is told of every breaker that opens or closes.
func (st *Store) tripped(addr string, open bool) {
	if addr == "" {
		addr = addrs(st.opts)
	}
	st.tripping.Lock()
	defer st.tripping.Unlock()
	if open {
		st.open++
		st.opts.Logger.Warn("redis does not answer: requests no longer wait for it", "addr", addr, "unanswered_in_a_row", tripAfter)
	} else {
		st.open--
		st.opts.Logger.Info("redis answers: requests wait for it again", "addr", addr)
	}
	st.opts.Events.Tripped(st.open > 0)
}

func addrs(o Options) string { return strings.Join(o.Addrs, ",") }
