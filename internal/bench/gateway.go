package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// steadyRate is the constant load, per second, at which latency is taken.
const steadyRate = 5000

// row is what one contender was measured to cost: medians over the rounds.
type row struct {
	Name       string  `json:"name"`
	CPU        float64 `json:"cpu_us_per_request"`
	Redis      float64 `json:"redis_cpu_us_per_request,omitempty"`
	PerSecond  float64 `json:"requests_per_second"`
	RSS        float64 `json:"rss_mib"`
	Allocs     float64 `json:"allocations_per_request,omitempty"`
	OfHAProxy  float64 `json:"times_haproxy"`
	OfNginx    float64 `json:"times_nginx"`
	OfAdmitted float64 `json:"times_admitted,omitempty"`
}

// report is everything that the bench found.
type report struct {
	Rows    []row              `json:"rows"`
	Latency map[string]latency `json:"latency_ns"`
	Memory  map[string]float64 `json:"memory_growth_mib"`
}

type gatewayOptions struct {
	json, binary string
	rounds       int
	each         time.Duration
	memory       bool
}

func benchGateway(ctx context.Context, args []string) error {
	var o gatewayOptions
	flags := flag.NewFlagSet("bench gateway", flag.ContinueOnError)
	flags.StringVar(&o.json, "json", "", "write the figures to this `file` too")
	flags.StringVar(&o.binary, "gateway", "", "measure this `binary` instead of a fresh build")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each contender has its turn; the median counts")
	flags.DurationVar(&o.each, "each", 3*time.Second, "how long a turn lasts")
	flags.BoolVar(&o.memory, "memory", true, "also measure a large upload and idle connections")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tykctl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f := &field{dir: dir, binary: o.binary}
	defer f.stop()
	if err := f.start(ctx); err != nil {
		return err
	}
	r, err := f.measure(ctx, o)
	if err != nil {
		return err
	}
	r.print()
	if o.json == "" {
		return nil
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(raw, '\n'), 0o600)
}

// turn is one contender in one role.
type turn struct {
	name   string
	server *process
	target target
	ours   bool
}

func (f *field) turns() []turn {
	ours := func(name, path, token string, status int) turn {
		return turn{"tykctl, " + name, f.gateway, target{f.gatewayAddr, path, token, status}, true}
	}
	return []turn{
		{"nginx, pass-through", f.nginx, target{f.nginxAddr, route, "", 200}, false},
		{"HAProxy, JWT and local limit", f.haproxy, target{f.haproxyAddr, route, f.token, 200}, false},
		ours("the full job", route, f.token, 200),
		ours("401: bad signature", route, f.brokenToken, 401),
		ours("403: route", "/other", f.token, 403),
		ours("429: limit", route, f.spentToken, 429),
	}
}

const fullJob = 2 // its place among the turns

func (f *field) measure(ctx context.Context, o gatewayOptions) (report, error) {
	turns := f.turns()
	if err := f.spend(ctx); err != nil {
		return report{}, err
	}
	rounds := make([][]row, len(turns))
	for range o.rounds {
		for i, t := range turns { // side by side, so that a slow minute hits all
			fmt.Fprintln(os.Stderr, "measuring", t.name)
			r, err := f.take(ctx, t, o.each)
			if err != nil {
				return report{}, err
			}
			rounds[i] = append(rounds[i], r)
		}
	}
	out := report{Memory: map[string]float64{}}
	for _, rows := range rounds {
		out.Rows = append(out.Rows, medians(rows))
	}
	for i := range out.Rows {
		r := &out.Rows[i]
		r.OfNginx, r.OfHAProxy = r.CPU/out.Rows[0].CPU, r.CPU/out.Rows[1].CPU
		if i > fullJob {
			r.OfAdmitted = r.CPU / out.Rows[fullJob].CPU
		}
	}
	var err error
	if out.Latency, err = f.latencies(ctx, o); err != nil {
		return out, err
	}
	if o.memory {
		err = f.memory(ctx, out.Memory)
	}
	return out, err
}

// spend uses up the one permit of the key that is then refused.
func (f *field) spend(ctx context.Context) error {
	_, err := ask(ctx, target{f.gatewayAddr, route, f.spentToken, 200}, time.Now(), 0, 1)
	return err
}

func (f *field) take(ctx context.Context, t turn, d time.Duration) (row, error) {
	if _, err := wrk(ctx, t.target, time.Second); err != nil { // warm
		return row{}, err
	}
	before, redis, mallocs := t.server.cpu(), f.redis.cpu(), f.mallocs(ctx, t.ours)
	b, err := wrk(ctx, t.target, d)
	if err != nil {
		return row{}, err
	}
	n := float64(b.requests)
	r := row{
		Name: t.name, PerSecond: b.perSec, RSS: t.server.rss(),
		CPU: float64((t.server.cpu() - before).Microseconds()) / n,
	}
	if t.ours {
		r.Redis = float64((f.redis.cpu() - redis).Microseconds()) / n
		r.Allocs = (f.mallocs(ctx, true) - mallocs) / n
	}
	return r, nil
}

// mallocs is the gateway's own count of what it has allocated so far.
func (f *field) mallocs(ctx context.Context, ours bool) float64 {
	if !ours {
		return 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.metricsAddr+"/metrics", nil)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	scan := bufio.NewScanner(res.Body)
	for scan.Scan() {
		if value, ok := strings.CutPrefix(scan.Text(), "go_memstats_mallocs_total "); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return n
		}
	}
	return 0
}

func medians(rows []row) row {
	out := rows[0]
	for _, field := range []func(*row) *float64{
		func(r *row) *float64 { return &r.CPU },
		func(r *row) *float64 { return &r.Redis },
		func(r *row) *float64 { return &r.PerSecond },
		func(r *row) *float64 { return &r.RSS },
		func(r *row) *float64 { return &r.Allocs },
	} {
		*field(&out) = middle(rows, func(r row) float64 { return *field(&r) })
	}
	return out
}

// latencies are taken at a constant rate, which all can well sustain, in turns.
func (f *field) latencies(ctx context.Context, o gatewayOptions) (map[string]latency, error) {
	rounds := map[string][]latency{}
	for range o.rounds {
		for name, t := range map[string]target{
			"backend": {f.backendAddr, route, "", 200},
			"nginx":   {f.nginxAddr, route, "", 200},
			"haproxy": {f.haproxyAddr, route, f.token, 200},
			"tykctl":  {f.gatewayAddr, route, f.token, 200},
		} {
			fmt.Fprintln(os.Stderr, "measuring the latency of", name)
			l, err := steady(ctx, t, steadyRate, o.each)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			rounds[name] = append(rounds[name], l)
		}
	}
	all := map[string]latency{}
	for name, ls := range rounds {
		all[name] = latency{
			Median: middle(ls, func(l latency) time.Duration { return l.Median }),
			P99:    middle(ls, func(l latency) time.Duration { return l.P99 }),
		}
	}
	return all, nil
}

// middle is the median of what the rounds gave.
func middle[R any, V cmp.Ordered](rounds []R, value func(R) V) V {
	values := make([]V, len(rounds))
	for i, r := range rounds {
		values[i] = value(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (r report) print() {
	fmt.Printf("%-30s %8s %8s %8s %9s %9s %9s %9s %8s\n",
		"", "CPU µs", "×HAProxy", "×nginx", "×admitted", "Redis µs", "req/s", "RSS MiB", "allocs")
	for _, x := range r.Rows {
		fmt.Printf("%-30s %8.1f %8.2f %8.2f %9s %9s %9.0f %9.0f %8s\n", x.Name, x.CPU, x.OfHAProxy, x.OfNginx,
			dash(x.OfAdmitted, 2), dash(x.Redis, 1), x.PerSecond, x.RSS, dash(x.Allocs, 1))
	}
	fmt.Printf("\nlatency at %d requests/s on %d connections\n", steadyRate, steadyConns)
	backend := r.Latency["backend"]
	for _, name := range []string{"backend", "nginx", "haproxy", "tykctl"} {
		l := r.Latency[name]
		fmt.Printf("%-10s median %6.3f ms  p99 %6.3f ms  added %+.3f  %+.3f\n", name,
			milliseconds(l.Median), milliseconds(l.P99), milliseconds(l.Median-backend.Median), milliseconds(l.P99-backend.P99))
	}
	for what, mib := range r.Memory {
		fmt.Printf("%-40s %+.1f MiB\n", what, mib)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func dash(v float64, digits int) string {
	if v == 0 {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
