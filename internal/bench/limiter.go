package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// A limiterRow is what one take cost in one setting.
type limiterRow struct {
	Setting  string  `json:"setting"`
	Takes    int64   `json:"takes"`
	Wall     float64 `json:"wall_us"`
	Allocs   float64 `json:"allocations"`
	RedisCPU float64 `json:"redis_cpu_us"`
	Commands float64 `json:"redis_commands"`
	Target   string  `json:"target,omitempty"`
}

const (
	manyCallers = 64
	manyKeys    = 100_000
	takeTimeout = time.Second
	rounds      = 7 // of which the median counts: this machine has other work
)

var (
	ample = ratelimit.Limit{Permits: ratelimit.MaxPermits / 2, Window: time.Hour}
	spent = ratelimit.Limit{Permits: 1, Window: time.Hour}
)

// benchLimiter measures the limiter alone: gathering, refusals from memory, and
// what both spare Redis.
func benchLimiter(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("limiter", flag.ContinueOnError)
	out := flags.String("json", "", "write the table to this `FILE` as well")
	each := flags.Duration("for", 500*time.Millisecond, "how long to measure each setting, in each round")
	profile := flags.String("only", "", "the one setting to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer server.stop()

	guard := redislimit.Guard{Key: "token:{a}", Value: sampleRecord}
	if err := server.client.Set(ctx, guard.Key, guard.Value, 0).Err(); err != nil {
		return err
	}
	keys := make([]string, manyKeys)
	for i := range keys {
		keys[i] = "key" + strconv.Itoa(i)
	}
	limiter := func() *redislimit.Limiter {
		return redislimit.New(server.client, redislimit.Options{Timeout: takeTimeout, Spent: manyKeys})
	}
	direct := server.directTake(guard, ample)
	gathered, flooded := limiter(), limiter()
	one := func(l *redislimit.Limiter, limit ratelimit.Limit) func(context.Context, *rand.Zipf) error {
		return func(ctx context.Context, _ *rand.Zipf) error {
			_, err := l.TakeIf(ctx, guard, "a", limit, 1)
			return err
		}
	}
	settings := []struct {
		name, target string
		callers      int
		take         func(ctx context.Context, zipf *rand.Zipf) error
	}{
		{"1 caller, EVALSHA by go-redis", "", 1, direct},
		{"1 caller", "≤ 1.05 × the same by go-redis", 1, one(gathered, ample)},
		{"64 callers on one key, EVALSHA by go-redis", "", manyCallers, direct},
		{"64 callers on one key", "≤ 3 µs, 2 allocations", manyCallers, one(gathered, ample)},
		{"64 callers on 100,000 keys (Zipf 1.1)", "≤ 9 µs of Redis", manyCallers, func(ctx context.Context, zipf *rand.Zipf) error {
			_, err := gathered.Take(ctx, keys[zipf.Uint64()], ample, 1)
			return err
		}},
		{"64 callers on a spent key", "≤ 10 commands a second", manyCallers, one(flooded, spent)},
	}
	results := make([][]limiterRow, len(settings))
	for range rounds { // settings take turns, so that a slow minute is everybody's
		for i, s := range settings {
			if *profile != "" && *profile != s.name {
				continue
			}
			row, err := server.measure(ctx, *each, s.callers, s.take)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			row.Setting, row.Target = s.name, s.target
			results[i] = append(results[i], row)
		}
	}
	var table []limiterRow
	for _, rows := range results {
		if len(rows) > 0 {
			slices.SortFunc(rows, func(a, b limiterRow) int { return int(1000 * (a.Wall - b.Wall)) })
			table = append(table, rows[len(rows)/2])
		}
	}
	return printLimiter(table, *out)
}

// measure runs callers in closed loops for a while.
func (s *redisServer) measure(
	ctx context.Context, d time.Duration, callers int, take func(context.Context, *rand.Zipf) error,
) (limiterRow, error) {
	before, err := s.usage(ctx)
	if err != nil {
		return limiterRow{}, err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	mallocs := mem.Mallocs
	var takes atomic.Int64
	var failed atomic.Pointer[error]
	begun := time.Now()
	var wg sync.WaitGroup
	for seed := range callers {
		wg.Go(func() {
			zipf := rand.NewZipf(rand.New(rand.NewPCG(uint64(seed), 1)), 1.1, 1, manyKeys-1) //nolint:gosec // load, not secrets
			var n int64
			for time.Since(begun) < d {
				if err := take(ctx, zipf); err != nil {
					failed.Store(&err)
					return
				}
				n++
			}
			takes.Add(n)
		})
	}
	wg.Wait()
	wall := time.Since(begun)
	if err := failed.Load(); err != nil {
		return limiterRow{}, *err
	}
	runtime.ReadMemStats(&mem)
	after, err := s.usage(ctx)
	if err != nil {
		return limiterRow{}, err
	}
	n := float64(takes.Load())
	return limiterRow{
		Takes:    takes.Load(),
		Wall:     float64(wall.Nanoseconds()) / 1000 / n,
		Allocs:   float64(mem.Mallocs-mallocs) / n,
		RedisCPU: (after.cpu - before.cpu) * 1e6 / n,
		Commands: (after.commands - before.commands) / n,
	}, nil
}

func printLimiter(table []limiterRow, path string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "setting\ttakes\tµs a take\tallocations\tRedis µs\tRedis commands\ttarget")
	for _, r := range table {
		fmt.Fprintf(w, "%s\t%d\t%.2f\t%.1f\t%.2f\t%.4f\t%s\n", r.Setting, r.Takes, r.Wall, r.Allocs, r.RedisCPU, r.Commands, r.Target)
	}
	if err := w.Flush(); err != nil || path == "" {
		return err
	}
	text, err := json.MarshalIndent(table, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
