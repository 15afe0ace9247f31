package ledger

import (
	"time"

	"github.com/tykctl/tykctl/pkg/boundedmap"
)

const (
	// absentFor is how long it is remembered, from the moment of asking, that a key
	// has no record: as long as a spent key is refused from memory.
	absentFor = time.Second
	// absentAfter is how many requests must have found that, each within absentFor of
	// the one before or a while later, until others are refused from memory.
	absentAfter = 16
)

// absence is a key without a record. One request more or less that is put to Redis
// is of no matter, so racing changes may overwrite one another.
type absence struct {
	asked time.Time
	times int
}

// absent remembers the keys without a record that are asked for again and again, so
// that a flood on one costs Redis as little as on a key whose limit is spent. Who gets
// here holds a token with a valid signature: a revoked key, as a rule.
//
// A key that is asked for now and then is not remembered, so that a record counts from
// the request that follows its creation; after a flood, within a second.
type absent struct {
	table *boundedmap.Map[absence]
	now   func() time.Time
}

// refuses reports whether a key is known to have no record.
func (a *absent) refuses(apiKey string) bool {
	seen := a.table.Get(apiKey)
	return seen.times >= absentAfter && a.now().Sub(seen.asked) < absentFor
}

// note takes in that Redis, asked at asked, held no record of a key.
func (a *absent) note(apiKey string, asked time.Time) {
	seen := a.table.Get(apiKey)
	if asked.Sub(seen.asked) > 2*absentFor { // a flood goes on when the memory has just ended
		seen.times = 0
	}
	if asked.After(seen.asked) {
		seen.asked = asked
	}
	seen.times++
	a.table.Put(apiKey, seen)
}

// forget lets the next request be put to Redis.
func (a *absent) forget(apiKey string) { a.table.Delete(apiKey) }
