package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

const testRecord = `{"rate_limit":10,"allowed_routes":["/x"],"window":"876000h"}`

// open is a registry on a server of the test's own, as an operator's command opens it.
func open(t *testing.T, server *redistest.Server, change ...func(*storage.Options)) *Registry {
	t.Helper()
	o := storage.Options{Addrs: []string{server.Addr}, Timeout: 10 * time.Second, Prefix: "token:", DefaultLimit: ratelimit.Limit{Window: time.Minute}}
	for _, c := range change {
		c(&o)
	}
	store := storage.Open(o)
	t.Cleanup(func() { _ = store.Close() })
	return New(store)
}

// places are the kinds of Redis that keys may be in.
var places = map[string]func(*testing.T) (*redistest.Server, func(*storage.Options)){
	"alone": startAlone, "cluster": startCluster,
}

func startAlone(t *testing.T) (*redistest.Server, func(*storage.Options)) {
	return redistest.Start(t), func(*storage.Options) {}
}

// startCluster is a Redis Cluster of one node.
func startCluster(t *testing.T) (*redistest.Server, func(*storage.Options)) {
	t.Helper()
	server := redistest.Start(t, "--cluster-enabled", "yes")
	node := server.Client(t)
	if err := node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	late := time.After(20 * time.Second)
	for !strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
		select {
		case <-poll.C:
		case <-late:
			t.Fatalf("the cluster does not come up\n%s", server.Log())
		}
	}
	return server, func(o *storage.Options) { o.Addrs = []string{server.Addr, server.Addr} }
}

func apiKey(i int) string { return fmt.Sprintf("key-%020d", i) }

func TestWalkFindsEveryKeyAndNothingElse(t *testing.T) {
	for name, start := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, options := start(t)
			r := open(t, server, options)
			client := r.store.At().Client
			pipe := client.Pipeline()
			var want []string
			for i := range 3 * scanStep {
				pipe.Set(t.Context(), r.RecordName(apiKey(i)), testRecord, 0)
				want = append(want, apiKey(i))
			}
			for _, stranger := range []string{"token:short", "token:" + apiKey(1) + ":x", "tokens:" + apiKey(1), "rate_count:" + apiKey(1) + ":0", "token:{{" + apiKey(1) + "}}"} {
				pipe.Set(t.Context(), stranger, "x", 0)
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			found, err := r.Keys(t.Context(), "", 4*scanStep)
			slices.Sort(found)
			if err != nil || !slices.Equal(found, want) {
				t.Errorf("found %d keys, want %d (%v)", len(found), len(want), err)
			}
		})
	}
}

func TestKeysByPrefix(t *testing.T) {
	server := redistest.Start(t)
	// A prefix of the operator's choice may hold what patterns are made of.
	r := open(t, server, func(o *storage.Options) { o.Prefix = `to[k]en*?\:` })
	for _, key := range []string{"abcdefghijklmnop-1", "abcdefghijklmnop-2", "bcdefghijklmnopqrs"} {
		if err := r.store.At().Client.Set(t.Context(), r.RecordName(key), testRecord, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		prefix string
		atMost int
		want   int
	}{
		{"", 9, 3},
		{"a", 9, 2},
		{"abcdefghijklmnop-1", 9, 1},
		{"x", 9, 0},
		{"", 2, 2},
		// A star is never a pattern, nor anything else.
		{"*", 9, 0},
		{"?bc", 9, 0},
		{"[ab]", 9, 0},
		{`\a`, 9, 0},
	} {
		found, err := r.Keys(t.Context(), tt.prefix, tt.atMost)
		if err != nil || len(found) != tt.want {
			t.Errorf("Keys(%q, %d): %q, %v; want %d", tt.prefix, tt.atMost, found, err, tt.want)
		}
	}
}

// dying stops the server once n round trips with a command were answered.
type dying struct {
	server *redistest.Server
	name   string
	mu     sync.Mutex
	n      int
}

func (d *dying) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *dying) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		d.see(cmds[0])
		return next(ctx, cmds)
	}
}

func (d *dying) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		d.see(cmd)
		return next(ctx, cmd)
	}
}

func (d *dying) see(cmd redis.Cmder) {
	if cmd.Name() != d.name {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n--; d.n < 0 {
		d.server.Stop()
	}
}

func TestRedisDiesInMidWalk(t *testing.T) {
	for _, during := range []string{"scan", "time"} {
		t.Run(during, func(t *testing.T) {
			server := redistest.Start(t)
			r := open(t, server)
			pipe := r.store.At().Client.Pipeline()
			for i := range 3 * scanStep {
				pipe.Set(t.Context(), r.RecordName(apiKey(i)), testRecord, 0)
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.store.At().Client.AddHook(&dying{server: server, name: during, n: 1})
			if during == "scan" {
				if found, err := r.Keys(t.Context(), "", 3*scanStep); !errors.Is(err, storage.ErrUnavailable) || found != nil {
					t.Errorf("Keys: %d found, %v; want none and %v", len(found), err, storage.ErrUnavailable)
				}
				return
			}
			if top, err := r.Busiest(t.Context(), 5); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Busiest: %v, %v; want %v", top, err, storage.ErrUnavailable)
			}
		})
	}
}

func TestWalkOfAClusterThatIsAway(t *testing.T) {
	t.Parallel()
	hangs, dead := redistest.Start(t), redistest.Start(t)
	hangs.Pause()
	dead.Stop()
	r := open(t, hangs, func(o *storage.Options) {
		o.Addrs, o.Timeout = []string{hangs.Addr, dead.Addr}, 100*time.Millisecond
	})
	err := r.List(t.Context(), func(Entry) error { return nil })
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v, want that Redis is unavailable", err)
	}
}
