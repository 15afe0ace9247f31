//go:build unix

package systemtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

// Behind a gateway as it is run, a Cluster's master dies. Keys of the other masters get
// nothing but 200, and its own are served again once its replica is promoted.
func TestAClustersMasterDiesBehindADaemon(t *testing.T) {
	for name, strike := range map[string]func(*redistest.Server){
		"SIGKILL": (*redistest.Server).Stop,
		"SIGSTOP": (*redistest.Server).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartReplicated(t)
			const masters, victim = 3, 1
			devNull, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = devNull.Close() })
			d := startDaemonOn(t, map[string]any{"addrs": cluster.Addrs()[:masters], "timeout": "1s"}, devNull)
			keys := make([]desk.Issued, masters)
			for slices.ContainsFunc(keys, func(k desk.Issued) bool { return k.JWT == "" }) {
				key := d.issue()
				keys[cluster.Owner("{"+key.APIKey+"}")] = key
			}

			var served, failed [masters]atomic.Int64 // served since the last failure
			ctx, stop := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			defer clients.Wait()
			defer stop()
			for master, key := range keys {
				for range 2 {
					clients.Go(func() {
						every(ctx, 5*time.Millisecond, func() {
							if r := d.get("/api/v1/test", key.JWT); r.StatusCode == http.StatusOK {
								served[master].Add(1)
							} else {
								served[master].Store(0)
								failed[master].Add(1)
								if master != victim {
									t.Errorf("a key of healthy master %d got %d %q", master, r.StatusCode, r.code())
								}
							}
						})
					})
				}
			}
			serves := func(when string) {
				t.Helper()
				for master := range masters {
					served[master].Store(0)
					d.eventually(fmt.Sprintf("%s, 50 requests in a row for keys of master %d", when, master),
						func() bool { return served[master].Load() >= 50 })
				}
			}
			serves("before")
			cluster.InStep()
			strike(cluster.Nodes[victim])
			cluster.Promoted(victim)
			serves("after the promotion")
			if failed[victim].Load() == 0 {
				t.Error("nobody noticed that a master died")
			}
		})
	}
}
