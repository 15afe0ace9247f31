package ledger

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func newLocal(clock *handClock, instances int64, told *[]bool) *local {
	return &local{
		grace: 30 * time.Second, instances: instances, now: clock.now,
		seen: newTable[*storage.Record](100), heard: newTable[*heard](100), changed: func(on bool) { *told = append(*told, on) },
	}
}

// hears has Redis settle a request of the key k.
func (l *local) hears(limit ratelimit.Limit, left int64, at time.Time) {
	l.seen.put("k", &storage.Record{Limit: limit})
	l.settled("k", left, at)
}

func anyone(*storage.Record) error { return nil }

// grants asks n times and counts.
func (l *local) grants(t *testing.T, n int) (granted int) {
	t.Helper()
	for range n {
		p, known, err := l.serve("k", anyone)
		if !known || err != nil {
			t.Fatalf("known %v, %v", known, err)
		}
		if p.Decision.Allowed() {
			granted++
		} else if p.Decision.RetryAfter <= 0 {
			t.Errorf("refused with nothing to wait for: %+v", p.Decision)
		}
	}
	return granted
}

func TestLocalServesItsShare(t *testing.T) {
	limit := ratelimit.Limit{Permits: 100, Window: time.Minute}
	for name, tt := range map[string]struct {
		limit           ratelimit.Limit
		instances, left int64
		now, next       int // granted in this window and in the next
	}{
		"alone":                  {limit, 1, 60, 60, 100},
		"one of four":            {limit, 4, 100, 25, 25},
		"one of four, less left": {limit, 4, 9, 2, 25}, // else four would grant 36 of the 9
		"one of three":           {limit, 3, 100, 33, 33},
		"nothing left":           {limit, 2, 0, 0, 50},
		"a bucket": {
			ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 60, Window: time.Minute, Burst: 20}, 2, 20, 10, 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newHandClock()
			l := newLocal(clock, tt.instances, new([]bool))
			l.hears(tt.limit, tt.left, clock.now())
			if got := l.grants(t, 200); got != tt.now {
				t.Errorf("%d granted in the window, want %d", got, tt.now)
			}
			l.grace = time.Hour
			clock.advance(time.Minute)
			if got := l.grants(t, 200); got != tt.next {
				t.Errorf("%d granted in the next window, want %d", got, tt.next)
			}
		})
	}
}

func TestLocalKnowsOnlyWhatItHeardLately(t *testing.T) {
	clock := newHandClock()
	l := newLocal(clock, 20, new([]bool))
	known := func() bool {
		_, known, err := l.serve("k", anyone)
		if err != nil {
			t.Error(err)
		}
		return known
	}
	if known() {
		t.Error("serves a key that it never heard of")
	}
	l.hears(ratelimit.Limit{Permits: 100, Window: time.Minute}, 10, clock.now())
	clock.advance(30 * time.Second)
	if !known() {
		t.Error("does not serve a key within the grace")
	}
	clock.advance(1)
	if known() {
		t.Error("serves a key beyond the grace")
	}
	l.hears(ratelimit.Limit{Permits: 19, Window: time.Minute}, 10, clock.now())
	if known() {
		t.Error("serves a limit of 19 shared by 20: its refusals would be Redis's trouble")
	}
}

func TestLocalStillAuthorises(t *testing.T) {
	clock := newHandClock()
	l := newLocal(clock, 1, new([]bool))
	l.hears(ratelimit.Limit{Permits: 1, Window: time.Minute}, 1, clock.now())
	forbidden := errors.New("forbidden")
	if _, known, err := l.serve("k", func(*storage.Record) error { return forbidden }); !known || !errors.Is(err, forbidden) {
		t.Errorf("known %v, %v", known, err)
	}
	if got := l.grants(t, 1); got != 1 {
		t.Error("the refusal took a permit")
	}
}

func TestLocalModeIsToldOnce(t *testing.T) {
	var told []bool
	clock := newHandClock()
	l := newLocal(clock, 1, &told)
	l.hears(ratelimit.Limit{Permits: 100, Window: time.Minute}, 100, clock.now())
	for range 3 {
		l.grants(t, 3)
		l.settled("k", 90, clock.now()) // Redis comes and goes
	}
	clock.advance(calm)
	l.settled("k", 90, clock.now())
	l.settled("k", 90, clock.now())
	if want := []bool{true, false}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}

// However many keys come by, what is remembered of them is bounded.
func TestLocalIsBounded(t *testing.T) {
	clock := newHandClock()
	l := newLocal(clock, 1, new([]bool))
	for i := range 5000 {
		l.settled(strconv.Itoa(i), 1, clock.now())
	}
	if n := l.heard.len(); n > 112 {
		t.Errorf("%d keys are remembered, want about 100", n)
	}
}
