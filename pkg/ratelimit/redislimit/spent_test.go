package redislimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func TestSpentKeysAreRefusedFromMemory(t *testing.T) {
	const window = 10 * time.Second
	limit := ratelimit.Limit{Permits: 1, Window: window}
	start := time.Unix(1_700_000_040, 0)
	guard := Guard{Key: "record", Value: "as seen"}
	for _, tt := range []struct {
		name  string
		into  time.Duration // the window, at the first refusal
		later time.Duration // when the key is asked for again
		limit ratelimit.Limit
		guard Guard
		n     int64
		local bool
	}{
		{"at once", time.Second, 0, limit, guard, 1, true},
		{"within a second", time.Second, time.Second - 1, limit, guard, 1, true},
		{"after a second", time.Second, time.Second, limit, guard, 1, false},
		{"until the window ends", window - 500*time.Millisecond, 500*time.Millisecond - 1, limit, guard, 1, true},
		{"after the window's end", window - 500*time.Millisecond, 500 * time.Millisecond, limit, guard, 1, false},
		{"under another limit", time.Second, 0, ratelimit.Limit{Permits: 2, Window: window}, guard, 1, false},
		{"with another guard", time.Second, 0, limit, Guard{Key: "record", Value: "changed"}, 1, false},
		{"for several", time.Second, 0, limit, guard, 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, client := startMini(t)
			hook := new(sendHook)
			client.AddHook(hook)
			at := newHandClock(start.Add(tt.into))
			m.SetTime(at.now())
			if err := m.Set(guard.Key, guard.Value); err != nil {
				t.Fatal(err)
			}
			l := New(client, Options{Spent: 100, Now: at.now})
			take := func(guard Guard, limit ratelimit.Limit, n int64) Outcome {
				t.Helper()
				o, err := l.TakeIf(t.Context(), guard, "k", limit, n)
				if err != nil {
					t.Fatal(err)
				}
				return o
			}
			take(guard, limit, 1)
			if o := take(guard, limit, 1); o.Local || o.Decision.Allowed() {
				t.Fatalf("the first refusal: %+v, want it to be Redis's", o)
			}

			at.advance(tt.later)
			m.SetTime(at.now())
			hook.sent.Store(0)
			o := take(tt.guard, tt.limit, tt.n)
			if o.Local != tt.local || (hook.sent.Load() == 0) != tt.local {
				t.Errorf("%+v with %d commands, want it from memory: %v", o, hook.sent.Load(), tt.local)
			}
			if wait := window - tt.into - tt.later; tt.local && (o.Decision.Allowed() || o.Decision.Reset != wait || o.Decision.RetryAfter != wait) {
				t.Errorf("%+v, want to wait for %v", o.Decision, wait)
			}
		})
	}
}

// Permits that come back bit by bit end a refusal when the first one is there.
func TestSpentBucketsOpenInTime(t *testing.T) {
	limit := ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 100, Window: 10 * time.Second, Burst: 1}
	m, client := startMini(t)
	at := newHandClock(time.Unix(1_700_000_040, 0))
	m.SetTime(at.now())
	l := New(client, Options{Spent: 100, Now: at.now})
	for step := range 10 {
		if d := mustTake(t, l, "k", limit, 1); !d.Allowed() {
			t.Errorf("step %d: %+v, want a permit", step, d)
		}
		for range 2 {
			if d := mustTake(t, l, "k", limit, 1); d.Allowed() || d.RetryAfter != 100*time.Millisecond || d.More != d.RetryAfter {
				t.Errorf("step %d: %+v, want to wait for 100ms", step, d)
			}
		}
		at.advance(100 * time.Millisecond)
		m.SetTime(at.now())
	}
}

// The next look at Redis brings along what was refused without it, unless that
// belongs to a window which has ended.
func TestRefusalsFromMemoryAreCounted(t *testing.T) {
	for _, algorithm := range []ratelimit.Algorithm{ratelimit.FixedWindow, ratelimit.TokenBucket} {
		t.Run(string(algorithm), func(t *testing.T) {
			limit := ratelimit.Limit{Algorithm: algorithm, Permits: 1, Window: 10 * time.Second}
			m, client := startMini(t)
			at := newHandClock(time.Unix(1_700_000_040, 0))
			advance := func(d time.Duration) { at.advance(d); m.SetTime(at.now()) }
			advance(0)
			l := New(client, Options{Spent: 100, Now: at.now})
			for range 12 { // one granted, one refused by Redis, ten from memory
				mustTake(t, l, "k", limit, 1)
			}
			wantUsage(t, l, limit, 1, 0, 1)
			advance(time.Second)
			mustTake(t, l, "k", limit, 1)
			wantUsage(t, l, limit, 1, 0, 12)
			for range 5 {
				mustTake(t, l, "k", limit, 1)
			}
			advance(19 * time.Second)
			mustTake(t, l, "k", limit, 1)
			if u := mustUse(t, l, "k", limit); u.Refused != 0 && u.Refused != 12 { // miniredis lets nothing expire by itself
				t.Errorf("%d are refused, and those of an ended window count", u.Refused)
			}
		})
	}
}

func TestResetIsSeenAtOnceWhereItWasMade(t *testing.T) {
	limit := ratelimit.Limit{Permits: 1, Window: century}
	_, client := startMini(t)
	l := New(client, Options{Spent: 100})
	for range 3 {
		mustTake(t, l, "k", limit, 1)
	}
	if err := l.Reset(t.Context(), "k", limit); err != nil {
		t.Fatal(err)
	}
	if d := mustTake(t, l, "k", limit, 1); !d.Allowed() {
		t.Errorf("after a reset: %+v", d)
	}
}

// Redis reckoned somewhere between sending and hearing. What a client is told must
// hold for the latest moment, what is remembered for the earliest.
func TestMemorySendsNobodyBackTooEarly(t *testing.T) {
	at := newHandClock(time.Unix(1_700_000_040, 0))
	s := newSpentKeys(16, at.now)
	q, sent := question{key: "k"}, at.now()
	at.advance(200 * time.Millisecond) // Redis may have decided just now
	s.note(q, ratelimit.Decision{Reset: 5 * time.Second, More: time.Second, RetryAfter: time.Second}, sent)
	at.advance(300 * time.Millisecond)
	d, ok := s.refuse(q)
	if want := (ratelimit.Decision{Reset: 4700 * time.Millisecond, More: 700 * time.Millisecond, RetryAfter: 700 * time.Millisecond}); !ok || d != want {
		t.Errorf("%+v, want %+v", d, want)
	}
	at.advance(500 * time.Millisecond) // or 200 ms before
	if d, ok := s.refuse(q); ok {
		t.Errorf("refused from memory when the permit may be there: %+v", d)
	}
}

func TestSpentKeysAreBounded(t *testing.T) {
	s := newSpentKeys(160, time.Now)
	now := time.Now()
	for i := range 10_000 {
		q := question{key: fmt.Sprint(i)}
		s.note(q, ratelimit.Decision{Reset: time.Hour, RetryAfter: time.Hour}, now)
		if _, ok := s.refuse(q); !ok {
			t.Fatal("the key last noted is not known")
		}
	}
	held := s.keys.Len()
	if held > 160 || held < 100 {
		t.Errorf("%d keys are held, want about 160 and no more", held)
	}
}
