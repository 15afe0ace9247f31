package storage

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
)

// However often a server could not be reached, it is tried again each time, so that it
// is in use the moment it is back: by single commands and by pipelines alike.
func TestServerThatIsBackIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	refused := errors.New("refused")
	for name, options := range map[string]func(*Options){
		"one server": func(*Options) {},
		"a Cluster":  func(o *Options) { o.Cluster = ClusterOn },
	} {
		t.Run(name, func(t *testing.T) {
			var away atomic.Bool
			var opened atomic.Int32
			o := Options{Addrs: []string{server.Addr}, Timeout: 10 * time.Second, Connections: 2}
			options(&o)
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if away.Load() {
					return nil, &net.OpError{Op: "dial", Net: network, Err: refused}
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			plain := o.Dial
			counting := func(ctx context.Context, network, addr string) (net.Conn, error) {
				opened.Add(1)
				return plain(ctx, network, addr)
			}
			if o.Cluster != ClusterOn { // there the map of slots has connections of its own
				o.Dial = counting
			}
			st := Open(o)
			t.Cleanup(func() { _ = st.Close() })
			client := st.At().Client
			if c := st.At().Cluster; c != nil {
				client = st.newNode(st.At(), &redis.Options{Addr: server.Addr, PoolSize: 2, DialerRetries: 1, MaxRetries: -1, PipelinePoolSize: onePool}, universal(Options{Dial: counting}).Dialer)
				t.Cleanup(func() { _ = client.Close() })
			}
			away.Store(true)
			for range 10 {
				err := client.Ping(t.Context()).Err()
				op, dialled := errors.AsType[*net.OpError](err)
				if !dialled || op.Op != "dial" || !errors.Is(err, refused) {
					t.Fatalf("%v; want the dialer's own error", err)
				}
			}
			away.Store(false)
			opened.Store(0)
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Errorf("a command: %v", err)
			}
			pipe := client.Pipeline()
			pipe.Ping(t.Context())
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Errorf("a pipeline: %v", err)
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("%d connections for one caller, want 1", n)
			}
		})
	}
}
