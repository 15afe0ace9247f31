package redislimit

import (
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/pkg/boundedmap"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// maxRefusing bounds how long a key is refused from memory, so that a limit
// which was raised or reset, or a guard which has changed, is noticed soon.
const maxRefusing = time.Second

// spentKeys remembers which keys Redis has just said have nothing left, and
// refuses them without asking again. That is sound: until the time that Redis
// named, only an operator can give a key permits back.
//
// Times run on the monotonic clock. Redis reckoned at some moment between sending
// and hearing: memory counts from the earlier one, so it ends before the refusal
// does, and what clients are told from the later one, so that none comes back early.
type spentKeys struct {
	now  func() time.Time
	keys *boundedmap.Map[*spent]
	size int
}

type spent struct {
	question // to which the refusal is the answer
	decision ratelimit.Decision
	sent     time.Time
	heard    time.Time // when the answer had come
	until    time.Time
	refused  atomic.Int64 // from memory, and not yet reported to Redis
}

// newSpentKeys remembers up to size keys, with 0 none; see [boundedmap.New].
func newSpentKeys(size int, now func() time.Time) *spentKeys {
	return &spentKeys{now: now, keys: boundedmap.New[*spent](size), size: size}
}

// refuse decides from memory, if that is safe.
func (s *spentKeys) refuse(q question) (ratelimit.Decision, bool) {
	e := s.keys.Get(q.key)
	if e == nil || e.question != q {
		return ratelimit.Decision{}, false
	}
	now := s.now()
	if !now.Before(e.until) {
		return ratelimit.Decision{}, false
	}
	e.refused.Add(1)
	d, since := e.decision, now.Sub(e.heard)
	d.Reset -= since
	d.More -= since
	d.RetryAfter -= since
	return d, true
}

// note remembers what Redis decided on one more permit, when asked at sent.
func (s *spentKeys) note(q question, d ratelimit.Decision, sent time.Time) {
	if d.Granted > 0 {
		s.forget(q.key)
		return
	}
	if s.size <= 0 {
		return
	}
	e := &spent{question: q, decision: d, sent: sent, heard: s.now(), until: sent.Add(min(d.RetryAfter, d.Reset, maxRefusing))}
	s.keys.Put(q.key, e)
}

// refused returns how many permits of key were refused from memory and not yet
// reported to Redis. Those of a window that has ended are forgotten.
func (s *spentKeys) refused(key string) int64 {
	e := s.keys.Get(key)
	if e == nil || s.now().Sub(e.sent) >= e.decision.Reset {
		return 0
	}
	return e.refused.Swap(0)
}

// forget makes the next request of key ask Redis.
func (s *spentKeys) forget(key string) { s.keys.Delete(key) }
