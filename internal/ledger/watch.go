package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// watchEvery is how often Redis is looked at, so how stale [Ledger.Ready] can be.
const watchEvery = 500 * time.Millisecond

var errNotSeenYet = errors.New("redis has not been reached yet")

// state is what the last look at Redis found.
type state struct {
	last     atomic.Pointer[error]     // nil before the first look
	answered atomic.Pointer[time.Time] // the last look that was, nil before
}

// Ready is nil while Redis grants permits, and in local mode as long after as there
// can be keys to serve; else it is the reason why the gateway cannot serve. In a
// Cluster it is nil while one of the masters does: the others' keys would fare no
// better at another gateway. It asks nobody: the answer is that of the last look, at
// most half a second ago (plus the time that the look takes, when Redis hangs).
func (l *Ledger) Ready() error {
	last := l.state.last.Load()
	if last == nil {
		return errNotSeenYet
	}
	if answered := l.state.answered.Load(); *last != nil && l.local != nil && answered != nil && l.now().Sub(*answered) <= l.opts.Grace {
		return nil
	}
	return *last
}

// Ping asks Redis for a sign of life, within the request's time budget.
func (l *Ledger) Ping(ctx context.Context) error {
	ctx, cancel := l.budget(ctx)
	defer cancel()
	if err := l.find(ctx); err != nil {
		return err
	}
	start := l.now()
	err := l.at().client.Ping(ctx).Err()
	l.observe("ping", start, err)
	if err != nil {
		return l.fault("", err)
	}
	return nil
}

// Watch looks at Redis until ctx ends, and logs when it goes, each minute while it
// is away, and when it comes back.
func (l *Ledger) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *Ledger) look(ctx context.Context) {
	err, part := l.trial(ctx)
	l.recheck(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		l.state.answered.Store(new(l.now()))
	}
	before := l.state.last.Swap(&err)
	addrs := strings.Join(l.opts.Addrs, ",")
	lost := err != nil && (before == nil || *before == nil)
	due := err != nil && l.gripes.due(Kind(err)) || lost // both are asked: what is said now is not due again
	switch {
	case due && l.local != nil && errors.Is(err, ErrRefused):
		l.opts.Logger.Error("only keys that redis settled a request of lately are served",
			"why", sentence(err), "addr", addrs, "kind", Kind(err), "err", err)
	case due && l.local != nil:
		l.opts.Logger.Error("redis does not answer: only keys that it settled a request of lately are served",
			"addr", addrs, "kind", Kind(err), "err", err)
	case lost && !errors.Is(err, ErrRefused):
		l.opts.Logger.Error("requests get 503 until redis answers", "why", sentence(err), "addr", addrs, "kind", Kind(err), "err", err)
	case due:
		l.opts.Logger.Error("requests get 503", "why", sentence(err), "addr", addrs, "kind", Kind(err), "err", err)
	case err == nil && before != nil && *before != nil:
		l.opts.Logger.Info("redis answers again", "addr", addrs)
	case part != nil && l.gripes.due(Kind(part)):
		l.opts.Logger.Error("requests of some keys get 503, for one of the cluster's masters fails",
			"why", sentence(part), "kind", Kind(part), "err", part)
	}
	if l.opts.Watched != nil {
		l.opts.Watched(err == nil && part == nil)
	}
}

// again is after how long a trouble that lasts is complained of again.
const again = time.Minute

// gripes remembers when each kind of trouble was last complained of.
type gripes struct {
	now  func() time.Time
	mu   sync.Mutex
	last map[string]time.Time // kinds are few
}

// due reports whether a kind of trouble should be complained of now.
func (g *gripes) due(kind string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if last, told := g.last[kind]; told && now.Sub(last) < again {
		return false
	}
	g.last[kind] = now
	return true
}

// sentences say what the kinds of trouble are, and what to do.
var sentences = map[string]string{
	"oom":         "redis is out of memory and refuses to write: raise its maxmemory, or remove what else it holds",
	"readonly":    "redis is a replica, which refuses to write: name its master, or the Sentinels with redis.master_name",
	"misconf":     "redis cannot save to its disk and refuses to write: see its log; the disk may be full",
	"noperm":      "redis does not allow its user this: 'tykctl doctor' names the missing right and the ACL rule that grants it",
	"noauth":      "redis does not accept the user or the password: check redis.username and redis.password",
	"loading":     "redis is loading its data: try again in a moment",
	"clusterdown": "the Redis Cluster is down, because some of its slots have no master: see CLUSTER INFO",
	"masterdown":  "redis is a replica that has lost its master: name the master, or the Sentinels with redis.master_name",
	"busy":        "redis is busy with a script: see its log; SCRIPT KILL ends one",
	"moved":       "redis is one node of a Cluster: set redis.cluster to auto, or name several nodes in redis.addrs",
	"timeout":     "redis does not answer in time",
	"connection":  "redis cannot be reached",
	"tls":         "the TLS connection to redis fails",
	"queue":       "too many requests wait for redis",
	"sentinel":    "the Sentinels know no master of this name: check redis.master_name",
}

// Explain says in words what a kind of trouble is, as [Kind] names it, and what to
// do; "" if the word says it all.
func Explain(kind string) string { return sentences[kind] }

// sentence says in words what the matter is with Redis.
func sentence(err error) string {
	switch k := Kind(err); {
	case AtSentinel(err) && k == "noauth":
		return "a Sentinel does not accept the user or the password: check redis.sentinel_username and redis.sentinel_password"
	case AtSentinel(err) && k != "sentinel":
		return "no Sentinel can be asked for the address of redis"
	case k == "tls" && tlsAdvice(err) != "":
		return sentences[k] + ": " + tlsAdvice(err)
	case sentences[k] != "":
		return sentences[k]
	default:
		return "redis answers with an error: see its log, and 'tykctl doctor'"
	}
}

// Advice is what an operator reads of an [ErrUnavailable]: what the matter is with
// Redis and what to do, "" if err says all there is.
func Advice(err error) string {
	switch Kind(err) {
	case "", "timeout", "connection":
		if !AtSentinel(err) {
			return ""
		}
	case "tls":
		return tlsAdvice(err)
	}
	return sentence(err)
}

// alone is told when requests begin to be served without Redis, and when that ends.
func (l *Ledger) alone(on bool) {
	if on {
		l.opts.Logger.Warn("requests are served without redis: known keys by this instance's share of their limits, others get 503",
			"grace", l.opts.Grace.String(), "instances", l.opts.Instances)
	} else {
		l.opts.Logger.Info("requests are served through redis again")
	}
	l.opts.Events.Alone(on)
}

// maxTold bounds the keys whose records were complained of.
const maxTold = 10_000

// onceEach remembers which keys have been complained of, so that a broken
// record under load fills no disk. Once full it forgets all and starts over.
type onceEach struct {
	mu   sync.Mutex
	max  int
	told map[string]struct{}
}

func newOnceEach(size int) *onceEach { return &onceEach{max: size, told: map[string]struct{}{}} }

func (o *onceEach) first(apiKey string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, told := o.told[apiKey]; told {
		return false
	}
	if len(o.told) >= o.max {
		clear(o.told)
	}
	o.told[apiKey] = struct{}{}
	return true
}
