// Package ledger keeps the account of every key in Redis: its record, and the
// permits taken from its limit.
//
// Redis is the authority. What the ledger remembers of it only guesses at the
// next answer, so that one round trip usually settles both questions: the
// permit is taken by a script on the condition that the record is still the one
// the caller was authorised by. A guess that was wrong takes nothing and is
// made again from the record that came back.
//
// HTTP, JWTs and metrics stay outside.
package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/pkg/boundedmap"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// attempts bounds how often a request follows a record that changes under it.
const attempts = 4

// Ledger is safe for concurrent use.
type Ledger struct {
	opts   Options
	seen   *boundedmap.Map[*Record]
	absent absent
	routes *boundedmap.Map[*route.Set]
	local  *local // nil unless Options.Local
	now    func() time.Time
	state  state
	told   *onceEach
	gripes gripes

	site    atomic.Pointer[site]
	found   atomic.Bool   // it is known whether Redis is a Cluster
	finding chan struct{} // held while that is asked for

	changing sync.Mutex // guards replacing site
	closed   bool

	tripping sync.Mutex
	open     int // breakers
}

// Open makes a ledger. It does not wait for Redis and does not fail when Redis
// is away: requests then get [ErrUnavailable] until it is there.
func Open(o Options) *Ledger {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, string) {}
	}
	if o.Events == nil {
		o.Events = noEvents{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Ledger{
		opts:    o,
		seen:    boundedmap.New[*Record](o.CacheSize),
		routes:  boundedmap.New[*route.Set](maxRoutes),
		now:     o.Now,
		told:    newOnceEach(maxTold),
		absent:  absent{boundedmap.New[absence](o.CacheSize), o.Now},
		gripes:  gripes{now: o.Now, last: map[string]time.Time{}},
		finding: make(chan struct{}, 1),
	}
	cluster, known := o.cluster()
	l.site.Store(l.newSite(cluster))
	l.found.Store(known)
	if o.Local {
		l.local = &local{
			grace: o.Grace, instances: max(int64(o.Instances), 1), now: l.now,
			seen: l.seen, heard: boundedmap.New[*heard](o.CacheSize), changed: l.alone,
		}
	}
	return l
}

// Close ends the connections. Calls under way fail with [ErrUnavailable].
func (l *Ledger) Close() error {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.closed = true
	return l.at().close()
}

// Permit is the ledger's answer to one request. Whether the permit was granted
// stands in Decision; a refusal by limit is not an error.
type Permit struct {
	Record   *Record
	Decision ratelimit.Decision
	Waited   time.Duration // for Redis
}

// Take settles a request of apiKey: it finds the live record, has allow judge
// the request by it, and takes one permit from the key's limit. Nothing is
// taken when the record is missing ([ErrUnknown]), over ([ErrExpired]) or
// unreadable ([ErrRecord]), when what counts for the key is ([ErrCounter]), or when allow returns an error, which comes back as
// it is. allow may be called again when the record has changed; it must be quick.
//
// Cost: one round trip when the record is the one last seen, shared with the
// callers beside it; none while the key is known to have nothing left; two for a
// key that this process has not seen or whose record changed. It never waits
// longer than Options.Timeout. Then, and for every fault of Redis, it settles the
// request locally if Options.Local says so and it can; else the error is
// [ErrUnavailable].
func (l *Ledger) Take(ctx context.Context, apiKey string, allow func(*Record) error) (Permit, error) {
	start := l.now()
	permit, err := l.ask(ctx, apiKey, allow)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // the caller left: that is no fault of Redis
	}
	if l.local != nil {
		switch {
		case err == nil:
			l.local.settled(apiKey, permit.Decision.Remaining, start)
		case errors.Is(err, ErrUnavailable):
			if p, known, refusal := l.local.serve(apiKey, func(r *Record) error { return l.authorise(r, allow) }); known {
				permit, err = p, refusal
			}
		}
	}
	permit.Waited = l.now().Sub(start)
	if err != nil {
		l.report(apiKey, err)
	}
	return permit, err
}

// errAway is what requests get that no longer wait for Redis.
var errAway = fmt.Errorf("%w: it has not answered for a while", ErrUnavailable)

// report logs what an operator should do something about.
func (l *Ledger) report(apiKey string, err error) {
	switch {
	case errors.Is(err, ErrRecord):
		if l.told.first(apiKey) {
			l.opts.Logger.Error("a key's record cannot be used: write it anew or revoke it",
				"key", KeyHash(apiKey), "err", err)
		}
	case errors.Is(err, ErrCounter):
		if l.told.first(apiKey) {
			l.opts.Logger.Error("what counts for a key cannot be used: 'tykctl limits reset' begins anew",
				"key", KeyHash(apiKey), "err", err)
		}
	case Kind(err) != "":
		if l.gripes.due(Kind(err)) {
			l.opts.Logger.Error("requests get 503", "why", sentence(err), "kind", Kind(err), "err", err)
		}
	}
}

// ask puts a request to Redis, unless the server that holds the key has just not
// answered others.
func (l *Ledger) ask(ctx context.Context, apiKey string, allow func(*Record) error) (Permit, error) {
	if !l.at().breakerOf(ctx, apiKey).allow() {
		return Permit{}, errAway
	}
	return l.take(ctx, apiKey, allow)
}

// take guesses that the record last seen still stands. When it does not, or there
// is none, it goes by the live one, with what is left of the time.
func (l *Ledger) take(ctx context.Context, apiKey string, allow func(*Record) error) (Permit, error) {
	begun := time.Now()
	var live *Record
	if rec := l.seen.Get(apiKey); rec != nil && rec.tagged == (l.at().cluster != nil) {
		// The limiter keeps to the time-out by itself, for less than a context costs.
		permit, current, err := l.settle(ctx, apiKey, rec, l.authorise(rec, allow))
		if current == nil && !wrongType(err) {
			return permit, err
		}
		live = current
	}
	ctx, cancel := context.WithDeadline(ctx, begun.Add(l.opts.Timeout))
	defer cancel()
	if live == nil {
		if err := l.find(ctx); err != nil {
			return Permit{}, err
		}
		var err error
		if live, err = l.meet(ctx, apiKey); err != nil {
			return Permit{}, err
		}
	}
	for range attempts {
		if refusal := l.authorise(live, allow); refusal != nil {
			return Permit{Record: live}, refusal
		}
		permit, current, err := l.settle(ctx, apiKey, live, nil)
		if current == nil {
			return permit, err
		}
		live = current
	}
	return Permit{}, fmt.Errorf("%w: the key's record changed %d times in one request", ErrUnavailable, attempts)
}

func (l *Ledger) authorise(rec *Record, allow func(*Record) error) error {
	if !rec.Expires.IsZero() && !l.now().Before(rec.Expires) {
		return ErrExpired
	}
	return allow(rec)
}

// unread is a guess at the record of a key that is not remembered. No record is empty,
// so it never holds, and the live one comes back.
const unread = ""

// anyLimit is for a question that no limit is needed for.
var anyLimit = ratelimit.Limit{Window: time.Second}

// meet asks for the live record by the limiter's script, so that callers share
// exchanges, and those with the same key one command: a flood on a key without a
// record hurts no other.
func (l *Ledger) meet(ctx context.Context, apiKey string) (*Record, error) {
	if l.absent.refuses(apiKey) {
		return nil, ErrUnknown
	}
	asked := l.now()
	at := l.at() // the name and the limiter belong together
	out, err := at.limiter.Holds(ctx, redislimit.Guard{Key: at.recordKey(apiKey), Value: unread}, apiKey, anyLimit)
	switch {
	case err != nil:
		return nil, l.fault(apiKey, err)
	case !out.Changed: // there is a record, and it is empty
		return l.learn(apiKey, unread, true)
	case !out.Exists:
		l.absent.note(apiKey, asked)
	default:
		l.absent.forget(apiKey)
	}
	return l.learn(apiKey, out.Current, out.Exists)
}

// wrongType reports that a script met a value of another type: the record, if it was
// replaced since it was last seen, or the counter.
func wrongType(err error) bool { return errors.Is(err, ErrCounter) && kind(err) == "wrongtype" }

// fetch reads the live record alone, by a plain command.
func (l *Ledger) fetch(ctx context.Context, apiKey string) (*Record, error) {
	start := l.now()
	at := l.at() // the name and the client belong together
	raw, err := at.client.Get(ctx, at.recordKey(apiKey)).Result()
	l.observe("record", start, err)
	if noSuchKey(err) {
		return l.learn(apiKey, "", false)
	}
	if err != nil {
		return nil, l.fault(apiKey, err)
	}
	return l.learn(apiKey, raw, true)
}

// settle asks whether rec is still what Redis holds, for a record from memory may
// guess, but neither grant nor refuse; and takes a permit if it is, unless there is
// a refusal already. If it is not, nothing is taken, and the record that stands there
// now is returned. Callers with the same key and the same rec ask the same question,
// so the limiter asks it once.
func (l *Ledger) settle(ctx context.Context, apiKey string, rec *Record, refusal error) (p Permit, current *Record, err error) {
	guard := redislimit.Guard{Key: rec.name, Value: rec.raw}
	var out redislimit.Outcome
	if refusal == nil {
		out, err = l.at().limiter.TakeIf(ctx, guard, apiKey, rec.Limit, 1)
	} else {
		out, err = l.at().limiter.Holds(ctx, guard, apiKey, rec.Limit)
	}
	switch {
	case kind(err) == "wrongtype":
		return Permit{}, nil, fmt.Errorf("%w: %w", ErrCounter, err)
	case err != nil:
		return Permit{}, nil, l.fault(apiKey, err)
	case out.Changed:
		current, err = l.learn(apiKey, out.Current, out.Exists)
		return Permit{}, current, err
	case out.Local:
		l.opts.Events.Denied()
	}
	return Permit{Record: rec, Decision: out.Decision}, nil, refusal
}

// exchanged takes in how a round trip of the limiter ended.
func (l *Ledger) exchanged(x redislimit.Exchange) {
	l.opts.Observe("take", x.Took, kind(x.Err))
	l.opts.Events.Shared(x.Callers)
}

// learn takes in what Redis holds of a key now.
func (l *Ledger) learn(apiKey, raw string, exists bool) (*Record, error) {
	if !exists {
		l.seen.Delete(apiKey)
		return nil, ErrUnknown
	}
	rec, err := decode(raw, apiKey, l.opts.DefaultLimit)
	if err != nil {
		l.seen.Delete(apiKey)
		l.opts.Observe("record", 0, kind(err))
		return nil, err
	}
	at := l.at()
	rec.name, rec.tagged, rec.Routes = at.recordKey(apiKey), at.cluster != nil, l.shared(rec.Routes)
	l.seen.Put(apiKey, rec)
	return rec, nil
}

// maxRoutes bounds the sets of routes that records share.
const maxRoutes = 1024

// shared returns a set like s that other records have too: many keys may use the
// same routes, and a compiled set is most of what a record takes.
func (l *Ledger) shared(s route.Set) route.Set {
	var name strings.Builder
	for _, p := range s.Patterns() { // with their lengths, so that no two lists have one name
		fmt.Fprintf(&name, "%d:%s", len(p), p)
	}
	if held := l.routes.Get(name.String()); held != nil {
		return *held
	}
	l.routes.Put(name.String(), &s)
	return s
}

// fault turns what the client reported into what callers can act on.
func (l *Ledger) fault(apiKey string, err error) error {
	switch k := kind(err); k {
	case "wrongtype": // the value under the key's name is not a string: the key's fault, not Redis's
		l.seen.Delete(apiKey)
		return fmt.Errorf("%w: it is no string in Redis", ErrRecord)
	case "counter":
		return fmt.Errorf("%w: %w", ErrCounter, err)
	default:
		return newOutage(k, err, l.opts.Addrs)
	}
}

func (l *Ledger) observe(op string, start time.Time, err error) {
	l.opts.Observe(op, l.now().Sub(start), kind(err))
}

// Create writes the record of a new key, to vanish after ttl. It never
// overwrites: [ErrExists] if the key has a record. It returns the record's name.
func (l *Ledger) Create(ctx context.Context, g Grant, ttl time.Duration) (string, error) {
	raw, err := json.Marshal(g)
	if err != nil {
		return "", err
	}
	ctx, cancel := l.budget(ctx)
	defer cancel()
	if err := l.find(ctx); err != nil {
		return "", err
	}
	at := l.at()
	name := at.recordKey(g.APIKey)
	if err := checkSize(string(raw), &g.Label); err != nil {
		return name, err
	}
	start := l.now()
	err = at.client.SetArgs(ctx, name, raw, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	l.observe("create", start, err)
	switch {
	case noSuchKey(err):
		return name, ErrExists
	case err != nil:
		return name, l.fault(g.APIKey, err)
	}
	return name, nil
}

// RecordName is the name of a key's record in Redis. It is known once Redis has
// answered, where it has to be asked whether it is a Cluster.
func (l *Ledger) RecordName(apiKey string) string { return l.recordKey(apiKey) }

func (l *Ledger) recordKey(apiKey string) string { return l.at().recordKey(apiKey) }

// KeyHash names an api_key where the key itself must not stand: in logs. It is
// the first 12 hex digits of the key's SHA-256.
func KeyHash(apiKey string) string {
	sum := sha256.Sum256([]byte(apiKey))
	return hex.EncodeToString(sum[:6])
}
