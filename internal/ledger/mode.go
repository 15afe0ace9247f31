package ledger

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

// at is the Redis in use.
func (l *Ledger) at() *site { return l.site.Load() }

// find learns whether Redis is a Cluster, unless that is known. Names depend on it, so
// nothing is read or written before. The question outlives the caller's time, which may
// not do for opening a connection as well. Cost: one round trip, once.
func (l *Ledger) find(ctx context.Context) error {
	if l.found.Load() {
		return nil
	}
	select {
	case l.finding <- struct{}{}:
	case <-ctx.Done():
		return l.fault("", ctx.Err())
	}
	told := make(chan error, 1)
	go func() {
		defer func() { <-l.finding }()
		told <- l.askMode(context.WithoutCancel(ctx))
	}()
	select {
	case err := <-told:
		return err
	case <-ctx.Done():
		return l.fault("", ctx.Err())
	}
}

// askMode is called with l.finding held.
func (l *Ledger) askMode(ctx context.Context) error {
	if l.found.Load() {
		return nil
	}
	ctx, cancel := l.trialBudget(ctx)
	defer cancel()
	start := l.now()
	cluster, err := isCluster(ctx, l.at().client)
	l.observe("mode", start, err)
	if err != nil {
		return l.fault("", err)
	}
	if cluster {
		l.becomeCluster()
	}
	l.found.Store(true)
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
		if kind(err) == "reply" {
			return false, nil
		}
		return false, err
	}
	fields, _ := told.(map[any]any)
	return fields["mode"] == "cluster", nil
}

// metByOne takes in what the one server said: that a key lies elsewhere is a
// Cluster's word.
func (l *Ledger) metByOne(kind string) {
	if _, told := l.opts.cluster(); kind == "moved" && !told {
		l.becomeCluster()
	}
}

// becomeCluster goes on with Redis as a Cluster. What was asked of it as one server
// has failed, or will: a script's names lie in several slots then.
func (l *Ledger) becomeCluster() {
	l.changing.Lock()
	defer l.changing.Unlock()
	old := l.at()
	if old.cluster != nil || l.closed {
		return
	}
	l.opts.Logger.Info("redis is a cluster: every request goes to the node that serves its key", "addr", addrs(l.opts))
	l.site.Store(l.newSite(true))
	old.one.breaker.retire(true)
	go func() { _ = old.close() }() // a call of its own may be under way in this goroutine
}

// newBreaker makes the breaker of the server at addr, whose connections are dropped when it opens.
func (l *Ledger) newBreaker(addr string, held *conns) breaker {
	return breaker{now: l.now, changed: func(open bool) {
		if open && held != nil {
			held.drop()
		}
		l.tripped(addr, open)
	}}
}

// tripped is told of every breaker that opens or closes.
func (l *Ledger) tripped(addr string, open bool) {
	if addr == "" {
		addr = addrs(l.opts)
	}
	l.tripping.Lock()
	defer l.tripping.Unlock()
	if open {
		l.open++
		l.opts.Logger.Warn("redis does not answer: requests no longer wait for it", "addr", addr, "unanswered_in_a_row", tripAfter)
	} else {
		l.open--
		l.opts.Logger.Info("redis answers: requests wait for it again", "addr", addr)
	}
	l.opts.Events.Tripped(l.open > 0)
}

func addrs(o Options) string { return strings.Join(o.Addrs, ",") }
