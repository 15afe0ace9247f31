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
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// attempts bounds how often a request follows a record that changes under it.
const attempts = 4

// Ledger is safe for concurrent use.
type Ledger struct {
	store  *storage.Store
	redis  storage.Options // of the store
	opts   Options
	seen   *table[*storage.Record]
	absent absent
	routes *table[*route.Set]
	local  *local // nil unless Options.Local
	now    func() time.Time
	state  state
	told   *onceEach
	gripes gripes
}

// Options says how requests are served.
type Options struct {
	CacheSize int // keys remembered, at most: their records, and what Redis last said

	Local     bool          // serve requests without Redis when it cannot
	Grace     time.Duration // of keys that Redis settled a request of so recently
	Instances int           // that share each limit then; 0 means 1

	// Events, if set, is told what becomes of requests.
	Events Events
	// Watched, if set, is told each time Redis is looked at whether it answered.
	Watched func(up bool)
}

// Events are what an operator wants counted. Its methods must be quick, and are
// called concurrently.
type Events interface {
	// Denied tells of a request that was refused because its key was known to have
	// nothing left, without asking Redis.
	Denied()
	// Alone tells that requests are served without Redis, or no longer.
	Alone(on bool)
}

type noEvents struct{}

func (noEvents) Denied()    {}
func (noEvents) Alone(bool) {}

// New makes a ledger of the keys in a store, which stays the caller's to close.
// While Redis is away, requests get [storage.ErrUnavailable].
func New(store *storage.Store, o Options) *Ledger {
	if o.Events == nil {
		o.Events = noEvents{}
	}
	shared := store.Options()
	l := &Ledger{
		store:  store,
		redis:  shared,
		opts:   o,
		seen:   newTable[*storage.Record](o.CacheSize),
		routes: newTable[*route.Set](maxRoutes),
		now:    shared.Now,
		told:   newOnceEach(maxTold),
		absent: absent{newTable[absence](o.CacheSize), shared.Now},
		gripes: gripes{now: shared.Now, last: map[string]time.Time{}},
	}
	if o.Local {
		l.local = &local{
			grace: o.Grace, instances: max(int64(o.Instances), 1), now: l.now,
			seen: l.seen, heard: newTable[*heard](o.CacheSize), changed: l.alone,
		}
	}
	return l
}

// Permit is the ledger's answer to one request. Whether the permit was granted
// stands in Decision; a refusal by limit is not an error.
type Permit struct {
	Record   *storage.Record
	Decision ratelimit.Decision
	Waited   time.Duration // for Redis
}

// Take settles a request of apiKey: it finds the live record, has allow judge
// the request by it, and takes one permit from the key's limit. Nothing is
// taken when the record is missing ([storage.ErrUnknown]), over ([storage.ErrExpired]) or
// unreadable ([storage.ErrRecord]), when what counts for the key is ([storage.ErrCounter]), or when allow returns an error, which comes back as
// it is. allow may be called again when the record has changed; it must be quick.
//
// Cost: one round trip when the record is the one last seen, shared with the
// callers beside it; none while the key is known to have nothing left; two for a
// key that this process has not seen or whose record changed. It never waits
// longer than the store's Timeout. Then, and for every fault of Redis, it settles the
// request locally if Options.Local says so and it can; else the error is
// [storage.ErrUnavailable].
func (l *Ledger) Take(ctx context.Context, apiKey string, allow func(*storage.Record) error) (Permit, error) {
	start := l.now()
	permit, err := l.ask(ctx, apiKey, allow)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // the caller left: that is no fault of Redis
	}
	if l.local != nil {
		switch {
		case err == nil:
			l.local.settled(apiKey, permit.Decision.Remaining, start)
		case errors.Is(err, storage.ErrUnavailable):
			if p, known, refusal := l.local.serve(apiKey, func(r *storage.Record) error { return l.authorise(r, allow) }); known {
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
var errAway = fmt.Errorf("%w: it has not answered for a while", storage.ErrUnavailable)

// report logs what an operator should do something about.
func (l *Ledger) report(apiKey string, err error) {
	switch {
	case errors.Is(err, storage.ErrRecord):
		if l.told.first(apiKey) {
			l.redis.Logger.Error("a key's record cannot be used: write it anew or revoke it",
				"key", storage.KeyHash(apiKey), "err", err)
		}
	case errors.Is(err, storage.ErrCounter):
		if l.told.first(apiKey) {
			l.redis.Logger.Error("what counts for a key cannot be used: 'tykctl limits reset' begins anew",
				"key", storage.KeyHash(apiKey), "err", err)
		}
	case storage.Kind(err) != "":
		if l.gripes.due(storage.Kind(err)) {
			l.redis.Logger.Error("requests get 503", "why", storage.Sentence(err), "kind", storage.Kind(err), "err", err)
		}
	}
}

// ask puts a request to Redis, unless the server that holds the key has just not
// answered others.
func (l *Ledger) ask(ctx context.Context, apiKey string, allow func(*storage.Record) error) (Permit, error) {
	if !l.store.At().Allows(ctx, apiKey) {
		return Permit{}, errAway
	}
	return l.take(ctx, apiKey, allow)
}

// take guesses that the record last seen still stands. When it does not, or there
// is none, it goes by the live one, with what is left of the time.
func (l *Ledger) take(ctx context.Context, apiKey string, allow func(*storage.Record) error) (Permit, error) {
	begun := time.Now()
	var live *storage.Record
	if rec := l.seen.get(apiKey); rec != nil && l.store.At().Bound(rec) {
		// The limiter keeps to the time-out by itself, for less than a context costs.
		permit, current, err := l.settle(ctx, apiKey, rec, l.authorise(rec, allow))
		if current == nil && !wrongType(err) {
			return permit, err
		}
		live = current
	}
	ctx, cancel := context.WithDeadline(ctx, begun.Add(l.redis.Timeout))
	defer cancel()
	if live == nil {
		if err := l.store.Find(ctx); err != nil {
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
	return Permit{}, fmt.Errorf("%w: the key's record changed %d times in one request", storage.ErrUnavailable, attempts)
}

func (l *Ledger) authorise(rec *storage.Record, allow func(*storage.Record) error) error {
	if !rec.Expires.IsZero() && !l.now().Before(rec.Expires) {
		return storage.ErrExpired
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
func (l *Ledger) meet(ctx context.Context, apiKey string) (*storage.Record, error) {
	if l.absent.refuses(apiKey) {
		return nil, storage.ErrUnknown
	}
	asked := l.now()
	at := l.store.At() // the name and the limiter belong together
	out, err := at.Limiter.Holds(ctx, redislimit.Guard{Key: at.RecordName(apiKey), Value: unread}, apiKey, anyLimit)
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
func wrongType(err error) bool {
	return errors.Is(err, storage.ErrCounter) && storage.Classify(err) == "wrongtype"
}

// fetch reads the live record alone, by a plain command.
func (l *Ledger) fetch(ctx context.Context, apiKey string) (*storage.Record, error) {
	start := l.now()
	at := l.store.At() // the name and the client belong together
	raw, err := at.Client.Get(ctx, at.RecordName(apiKey)).Result()
	l.store.Observe("record", start, err)
	if storage.NoSuchKey(err) {
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
func (l *Ledger) settle(ctx context.Context, apiKey string, rec *storage.Record, refusal error) (p Permit, current *storage.Record, err error) {
	guard := rec.Guard()
	var out redislimit.Outcome
	if refusal == nil {
		out, err = l.store.At().Limiter.TakeIf(ctx, guard, apiKey, rec.Limit, 1)
	} else {
		out, err = l.store.At().Limiter.Holds(ctx, guard, apiKey, rec.Limit)
	}
	switch {
	case storage.Classify(err) == "wrongtype":
		return Permit{}, nil, fmt.Errorf("%w: %w", storage.ErrCounter, err)
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

// learn takes in what Redis holds of a key now.
func (l *Ledger) learn(apiKey, raw string, exists bool) (*storage.Record, error) {
	if !exists {
		l.seen.drop(apiKey)
		return nil, storage.ErrUnknown
	}
	rec, err := l.store.Decode(raw, apiKey)
	if err != nil {
		l.seen.drop(apiKey)
		l.redis.Observe("record", 0, storage.Classify(err))
		return nil, err
	}
	l.store.At().Bind(rec, apiKey)
	rec.Routes = l.shared(rec.Routes)
	l.seen.put(apiKey, rec)
	return rec, nil
}

// fault turns what the client reported into what callers can act on. A record that is
// no string any more is forgotten.
func (l *Ledger) fault(apiKey string, err error) error {
	err = l.store.Fault(err)
	if errors.Is(err, storage.ErrRecord) {
		l.seen.drop(apiKey)
	}
	return err
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
	if held := l.routes.get(name.String()); held != nil {
		return *held
	}
	l.routes.put(name.String(), &s)
	return s
}
