package systemtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

const (
	budget   = time.Second     // redis.timeout in these tests: a healthy Redis on a busy machine stays within it
	recovery = 2 * time.Second // after Redis is well
	lateness = 3 * time.Second // that a busy machine may add: waiting for Redis would take longer
)

// A load is clients that ask in closed loops, and what they were answered.
type load struct {
	w     *world
	phase atomic.Pointer[phase]
	wg    sync.WaitGroup
	stop  context.CancelFunc
}

// A phase collects the answers to requests that began and ended in it.
type phase struct {
	mu      sync.Mutex
	answers map[string]int // "200", "503 store_unavailable", …
	slowest time.Duration
}

// load starts clients, each with one of the keys.
func (w *world) load(clients int, keys ...desk.Issued) *load {
	l := &load{w: w}
	l.enter()
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	for i := range clients {
		l.wg.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
					l.ask(keys[i%len(keys)].JWT)
				}
			}
		})
	}
	w.t.Cleanup(l.end)
	return l
}

func (l *load) ask(jwt string) {
	req, err := http.NewRequest("GET", l.w.url+"/api/v1/test", nil) // not with the test's context: the last ones end in peace
	if err != nil {
		l.w.t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	before, begun := l.phase.Load(), time.Now()
	r := l.w.send(req)
	took := time.Since(begun)
	if l.phase.Load() != before {
		return
	}
	before.mu.Lock()
	defer before.mu.Unlock()
	answer := fmt.Sprint(r.StatusCode)
	if r.code() != "" {
		answer += " " + r.code()
	}
	before.answers[answer]++
	before.slowest = max(before.slowest, took)
}

// enter begins a phase.
func (l *load) enter() { l.phase.Store(&phase{answers: map[string]int{}}) }

func (l *load) end() {
	l.stop()
	l.wg.Wait()
	http.DefaultClient.CloseIdleConnections() // the server's drain waits for those that were never used
}

// want waits until the phase has seen n of the first answer, and holds that it
// saw no others than those listed.
func (l *load) want(n int, answers ...string) {
	l.w.t.Helper()
	p := l.phase.Load()
	l.w.eventually(fmt.Sprintf("%d answers %s", n, answers[0]), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.answers[answers[0]] >= n
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := 0
	for _, a := range answers {
		seen += p.answers[a]
	}
	total := 0
	for _, count := range p.answers {
		total += count
	}
	if seen != total {
		l.w.t.Errorf("answers %v, want only %q", p.answers, answers)
	}
	if p.slowest > budget+lateness {
		l.w.t.Errorf("an answer took %v with a budget of %v", p.slowest, budget)
	}
	l.w.t.Logf("%v, the slowest after %v", p.answers, p.slowest.Round(time.Millisecond))
}

// A trouble is Redis's, with a wire between that can make some of its own.
type trouble struct {
	*world
	wire *redistest.Wire
	key  desk.Issued
}

func (f *trouble) config(pairs ...string) {
	f.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := f.client.ConfigSet(f.t.Context(), pairs[i], pairs[i+1]).Err(); err != nil {
			f.t.Fatalf("CONFIG SET %s: %v", pairs[i], err)
		}
	}
}

func (f *trouble) command(args ...any) {
	f.t.Helper()
	if err := f.client.Do(f.t.Context(), args...).Err(); err != nil {
		f.t.Fatalf("%v: %v", args, err)
	}
}

// restart brings Redis back empty, and an operator who writes the record again.
func (f *trouble) restart(record string) {
	f.redis.Restart()
	f.eventually("the record", func() bool {
		return f.client.Set(f.t.Context(), "token:"+f.key.APIKey, record, time.Hour).Err() == nil
	})
}

const unavailable = "503 store_unavailable"

// While Redis is in trouble clients get 503 in time, and nothing else; afterwards
// all is as before.
func TestRedisInTrouble(t *testing.T) {
	for name, tt := range map[string]struct {
		strike, heal func(f *trouble)
		kind         string // in tykctl_redis_errors_total
		quick        bool   // Redis says so itself, so there is nothing to wait for
	}{
		"it hangs": {
			strike: func(f *trouble) { f.redis.Pause() },
			heal:   func(f *trouble) { f.redis.Resume() },
			kind:   "timeout",
		},
		"it is killed": {
			strike: func(f *trouble) { f.redis.Stop() },
			heal:   func(f *trouble) { f.restart(`{"rate_limit":1000000,"allowed_routes":["/api/v1/test"]}`) },
			kind:   "connection",
		},
		"it takes too long": {
			strike: func(f *trouble) { f.wire.Delay(3 * budget) },
			heal:   func(f *trouble) { f.wire.Delay(0) },
			kind:   "timeout",
		},
		"it is out of memory": {
			strike: func(f *trouble) { f.config("maxmemory", "1") },
			heal:   func(f *trouble) { f.config("maxmemory", "0") },
			kind:   "oom", quick: true,
		},
		"it is read-only": {
			strike: func(f *trouble) { f.command("replicaof", "127.0.0.1", "1") },
			heal:   func(f *trouble) { f.command("replicaof", "no", "one") },
			kind:   "readonly", quick: true,
		},
		"its master is down": {
			strike: func(f *trouble) { f.config("replica-serve-stale-data", "no"); f.command("replicaof", "127.0.0.1", "1") },
			heal:   func(f *trouble) { f.command("replicaof", "no", "one") },
			kind:   "masterdown", quick: true,
		},
		"it wants a password": {
			strike: func(f *trouble) { f.config("requirepass", "unknown"); f.wire.Sever() },
			heal:   func(f *trouble) { f.config("requirepass", "") },
			kind:   "noauth", quick: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startTrouble(t, nil)
			l := f.load(8, f.key)
			l.want(50, "200")

			tt.strike(f)
			l.enter()
			l.want(50, unavailable)
			series := fmt.Sprintf(`tykctl_redis_errors_total{kind=%q,op="take"}`, tt.kind)
			f.eventually("an error of the kind "+tt.kind, func() bool { return f.metric(series) != "" })
			f.breaker(!tt.quick)

			tt.heal(f)
			f.recovers()
			l.enter()
			l.want(50, "200")
			f.breaker(false)
			l.end()
			f.leavesNothing()
		})
	}
}

func startTrouble(t *testing.T, options map[string]string) *trouble {
	t.Helper()
	store := redistest.Start(t)
	wire := redistest.StartWire(t, store.Addr)
	set := map[string]string{"redis.addr": wire.Addr, "redis.timeout": budget.String()}
	maps.Copy(set, options)
	f := &trouble{world: startWith(t, store, set), wire: wire}
	f.client = redis.NewClient(&redis.Options{Addr: store.Addr, PoolSize: 1}) // one that was there before the trouble
	t.Cleanup(func() { _ = f.client.Close() })
	f.ready()
	f.key = f.token(desk.Grant{Limit: 1_000_000, Window: forever})
	return f
}

// recovers waits until permits are granted again, which should take no longer
// than recovery.
func (f *trouble) recovers() {
	f.t.Helper()
	healed := time.Now()
	f.eventually("a permit again", func() bool { return f.get("/api/v1/test", f.key.JWT).StatusCode == 200 })
	took := time.Since(healed)
	if took > recovery+lateness {
		f.t.Errorf("it took %v until all was well again, want at most %v", took, recovery)
	}
	f.t.Logf("well again after %v", took.Round(time.Millisecond))
}

// leavesNothing ends the gateway and holds that it kept no connection.
func (f *trouble) leavesNothing() {
	f.t.Helper()
	if err := f.end(); err != nil {
		f.t.Error(err)
	}
	f.in.Close()
	f.eventually("no connection to Redis", func() bool { return f.wire.Open() == 0 })
}

// breaker holds that requests wait for Redis, or do not.
func (f *trouble) breaker(open bool) {
	f.t.Helper()
	want := map[bool]string{true: "1", false: "0"}[open]
	f.eventually("breaker open: "+want, func() bool { return f.metric("tykctl_redis_breaker_open") == want })
}

// Replies that are cut or broken fail their own requests at most. None is taken
// for the answer to another, and no permit is granted that was not charged.
func TestRedisRepliesAreSpoiled(t *testing.T) {
	for name, spoil := range map[string]func(*redistest.Wire, int){
		"cut":     (*redistest.Wire).Cut,
		"garbled": (*redistest.Wire).Garble,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startTrouble(t, nil)
			keys := []desk.Issued{f.key}
			for range 7 {
				keys = append(keys, f.token(desk.Grant{Limit: 1_000_000, Window: forever}))
			}
			l := f.load(32, keys...)
			spoil(f.wire, 10)
			f.eventually("spoiled replies", func() bool { return f.wire.Spoiled() >= 50 })
			l.want(100, "200", unavailable)
			spoil(f.wire, 0)
			f.recovers()
			l.enter()
			l.want(100, "200")
			l.end()
			var charged int64
			for _, k := range keys {
				charged += f.used(k.APIKey)
			}
			if passed := int64(len(f.backend.requests())); charged < passed {
				t.Errorf("%d requests passed, and %d permits were charged", passed, charged)
			}
		})
	}
}

// A Redis that cannot even be connected to costs no more than the budget.
func TestRedisDoesNotAccept(t *testing.T) {
	for name, addr := range map[string]func(t *testing.T) string{
		"it says nothing":          silentListener,
		"its backlog is full":      fullListener,
		"its name is unknown":      func(*testing.T) string { return "redis.invalid:6379" },
		"nothing listens":          func(t *testing.T) string { l := listenLoopback(t); _ = l.Close(); return l.Addr().String() },
		"it hangs up at once":      func(t *testing.T) string { return rudeListener(t, "") },
		"it speaks another tongue": func(t *testing.T) string { return rudeListener(t, "HTTP/1.1 400 Bad Request\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := redistest.Start(t)
			key := startWith(t, store, nil).token(desk.Grant{})
			w := startWith(t, store, map[string]string{"redis.addr": addr(t), "redis.timeout": budget.String()})
			l := w.load(8, key)
			l.want(50, unavailable)
		})
	}
}
