package systemtest

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// skews are the clocks of the gateways that share a key in these tests.
var skews = []time.Duration{0, 500 * time.Millisecond, -500 * time.Millisecond}

const (
	exactLimit  = 40
	exactWindow = time.Second
)

// A fleet is gateways that share a Redis and a backend, each with a clock of its
// own.
type fleet struct {
	t        *testing.T
	client   redis.UniversalClient
	cluster  bool
	gateways []*world
	passed   atomic.Int64 // requests that reached the backend
	mu       sync.Mutex
	counts   map[int64]int64 // admitted, by the start of the window
}

func startFleet(t *testing.T, client redis.UniversalClient, options map[string]string) *fleet {
	t.Helper()
	f := &fleet{t: t, client: client, counts: map[int64]int64{}}
	_, f.cluster = client.(*redis.ClusterClient)
	backend := newBackend(t)
	backend.answer(func(http.ResponseWriter, *http.Request) { f.passed.Add(1) })
	options = maps.Clone(options)
	options["application.target_host"] = backend.URL
	for _, skew := range skews {
		w := startAt(t, nil, options, func() time.Time { return time.Now().Add(skew) })
		w.ready()
		f.gateways = append(f.gateways, w)
	}
	return f
}

// saturate has clients ask every gateway for a while, for more than the limit
// allows, while meanwhile runs beside them.
func (f *fleet) saturate(key desk.Issued, windows int, meanwhile func(ctx context.Context)) {
	f.t.Helper()
	ctx, stop := context.WithTimeout(f.t.Context(), time.Duration(windows)*exactWindow)
	defer stop()
	var busy sync.WaitGroup
	for _, w := range f.gateways {
		for range 4 {
			busy.Go(func() {
				every(ctx, 2*time.Millisecond, func() {
					if r := w.get("/api/v1/test", key.JWT); r.StatusCode != 200 && r.StatusCode != 429 {
						f.t.Errorf("got %d %q (%s)", r.StatusCode, r.code(), r.body)
					}
				})
			})
		}
	}
	busy.Go(func() { every(ctx, exactWindow/2, func() { f.count(key) }) })
	meanwhile(ctx)
	busy.Wait()
	f.count(key)
}

// every calls do at an interval until ctx ends.
func every(ctx context.Context, d time.Duration, do func()) {
	pace := time.NewTicker(d)
	defer pace.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

// count notes what each window that Redis still remembers has admitted.
func (f *fleet) count(key desk.Issued) {
	now := time.Now().Unix()
	for start := now - 3; start <= now+1; start++ {
		name := redislimit.Options{HashTag: f.cluster}.CounterKey(key.APIKey, time.Unix(start, 0))
		n, err := f.client.Get(f.t.Context(), name).Int64()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			f.t.Error(err)
			return
		}
		f.mu.Lock()
		f.counts[start] = max(f.counts[start], n)
		f.mu.Unlock()
	}
}

// wantExact compares Redis's count of each window, and the backend's of them all,
// with the limit. The first window and the last may have been asked for less.
func (f *fleet) wantExact(windows int) {
	f.t.Helper()
	starts := slices.Sorted(maps.Keys(f.counts))
	if len(starts) < windows {
		f.t.Fatalf("only %d windows were seen: %v", len(starts), f.counts)
	}
	var sum int64
	for i, start := range starts {
		n := f.counts[start]
		sum += n
		if whole := i > 0 && i < len(starts)-1; n > exactLimit || whole && n != exactLimit {
			f.t.Errorf("window %d of %d admitted %d, want %d", i+1, len(starts), n, exactLimit)
		}
	}
	if passed := f.passed.Load(); passed != sum {
		f.t.Errorf("%d requests reached the backend, and the windows admitted %d", passed, sum)
	}
}

func TestFleetIsExact(t *testing.T) {
	for name, disturb := range map[string]func(ctx context.Context, client *redis.Client){
		"undisturbed": func(context.Context, *redis.Client) {},
		"while scripts are flushed": func(ctx context.Context, client *redis.Client) {
			every(ctx, 100*time.Millisecond, func() { client.ScriptFlush(ctx) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := redistest.Start(t)
			client := store.Client(t)
			f := startFleet(t, client, map[string]string{"redis.addr": store.Addr, "redis.timeout": "5s"})
			key := f.gateways[0].token(desk.Grant{Limit: exactLimit, Window: exactWindow})
			f.saturate(key, 4, func(ctx context.Context) { disturb(ctx, client) })
			f.wantExact(4)
		})
	}
}

// The key's slot moves from one node to another, and back, under load.
func TestFleetIsExactWhileASlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	f := startFleet(t, cluster.Client(t), map[string]string{"redis.addrs": strings.Join(cluster.Addrs(), ","), "redis.timeout": "5s"})
	key := f.gateways[0].token(desk.Grant{Limit: exactLimit, Window: exactWindow})
	record := "token:{" + key.APIKey + "}"
	f.saturate(key, 5, func(ctx context.Context) {
		every(ctx, 300*time.Millisecond, func() {
			m := cluster.Migrate(record, (cluster.Owner(record)+1)%len(cluster.Nodes))
			m.Move()
			m.Finish()
		})
	})
	f.wantExact(5)
}
