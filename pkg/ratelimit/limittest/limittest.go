// Package limittest tests implementations of [ratelimit.Limiter] against that
// interface's contract, wherever they keep their state.
package limittest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// A looker is a limiter with the optional methods.
type looker interface {
	Usage(ctx context.Context, key string, limit ratelimit.Limit) (ratelimit.Usage, error)
	Reset(ctx context.Context, key string, limit ratelimit.Limit) error
}

// Run tests a limiter in parallel subtests of t. Each subtest calls newLimiter. The
// limiters may share a store, since no two subtests use the same key. The store's
// clock must run at the speed of the process's clock. If a limiter has the methods
// Usage and Reset, with the signatures of those of [ratelimit.Local], Run tests them
// too.
//
// Run takes about three seconds.
func Run(t *testing.T, newLimiter func(t *testing.T) ratelimit.Limiter) {
	t.Helper()
	for _, algorithm := range algorithms {
		for name, test := range map[string]func(*suite){
			"takes decide":                    (*suite).takesDecide,
			"many at once are many in a row":  (*suite).manyAtOnceAreManyInARow,
			"concurrent takers get the limit": (*suite).concurrentTakersGetTheLimit,
			"the refused is not charged":      (*suite).theRefusedIsNotCharged,
			"a lowered limit counts at once":  (*suite).aLoweredLimitCountsAtOnce,
			"keys are apart":                  (*suite).keysAreApart,
			"bad arguments change nothing":    (*suite).badArgumentsChangeNothing,
			"usage looks and reset forgets":   (*suite).usageLooksAndResetForgets,
		} {
			t.Run(string(algorithm)+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(&suite{T: t, limiter: newLimiter(t), algorithm: algorithm, key: rand.Text()})
			})
		}
	}
	t.Run("no span sees more than its share", func(t *testing.T) {
		t.Parallel()
		limiter := newLimiter(t)
		var wg sync.WaitGroup
		for _, algorithm := range algorithms { // all at once, for it takes two seconds
			s := &suite{T: t, limiter: limiter, algorithm: algorithm, key: rand.Text()}
			wg.Go(s.noSpanSeesMoreThanItsShare)
		}
		wg.Wait()
	})
}

var algorithms = []ratelimit.Algorithm{
	ratelimit.FixedWindow, ratelimit.SlidingWindow, ratelimit.TokenBucket, ratelimit.LeakyBucket,
}

type suite struct {
	*testing.T
	limiter   ratelimit.Limiter
	algorithm ratelimit.Algorithm
	key       string
}

const (
	decades = 80 * 365 * 24 * time.Hour // its windows end in 2049 and later
	hour    = time.Hour
)

// still is a limit that grants this many permits (24 at most) at once, and no more
// for at least an hour.
func (s *suite) still(permits int64) ratelimit.Limit {
	if s.algorithm == ratelimit.LeakyBucket {
		return ratelimit.Limit{Algorithm: s.algorithm, Permits: 1, Window: hour, MaxDelay: time.Duration(permits-1) * hour}
	}
	return ratelimit.Limit{Algorithm: s.algorithm, Permits: permits, Window: decades}
}

func (s *suite) take(key string, limit ratelimit.Limit, n int64) ratelimit.Decision {
	s.Helper()
	d, err := s.limiter.Take(s.Context(), key, limit, n)
	if err != nil {
		s.Fatalf("Take(%q, %+v, %d): %v", key, limit, n, err)
	}
	s.sound(d, limit, n)
	return d
}

// sound checks what holds for every decision.
func (s *suite) sound(d ratelimit.Decision, limit ratelimit.Limit, n int64) {
	s.Helper()
	switch {
	case d.Limit != limit,
		d.Granted < 0 || d.Granted > n,
		d.Remaining < 0 || d.Granted < n && d.Remaining > 0,
		d.Reset < 0 || d.Granted > 0 && d.Reset == 0,
		(d.RetryAfter > 0) != (d.Granted < n), d.RetryAfter < 0,
		d.More < 0 || d.More > 0 && d.RetryAfter > 0 && d.More > d.RetryAfter,
		d.Delay < 0 || d.Delay > limit.MaxDelay,
		d.Granted == 0 && d.Delay != 0:
		s.Errorf("take %d under %+v contradicts itself: %+v", n, limit, d)
	}
}

func (s *suite) takesDecide() {
	limit := s.still(10)
	for i, step := range []struct{ n, granted, remaining int64 }{
		{1, 1, 9}, {6, 6, 3}, {5, 3, 0}, {1, 0, 0}, {ratelimit.MaxPermits, 0, 0},
	} {
		d := s.take(s.key, limit, step.n)
		if d.Granted != step.granted || d.Remaining != step.remaining {
			s.Errorf("step %d: take %d = %+v, want %d granted and %d left", i, step.n, d, step.granted, step.remaining)
		}
		switch {
		case s.algorithm != ratelimit.LeakyBucket || step.granted == 0 || i == 0:
			if d.Delay != 0 {
				s.Errorf("step %d: delay %v", i, d.Delay)
			}
		default: // the queue has moved on a little since the step before
			before := time.Duration([]int64{0, 1, 7}[i]) * hour
			if d.Delay > before || d.Delay <= before-hour {
				s.Errorf("step %d: delay %v, want up to %v", i, d.Delay, before)
			}
		}
	}
	nothing := s.still(1)
	nothing.Permits, nothing.MaxDelay = 0, 0
	if d := s.take(s.key+"nothing", nothing, 3); d.Granted != 0 {
		s.Errorf("a limit of nothing grants %+v", d)
	}
}

func (s *suite) manyAtOnceAreManyInARow() {
	for permits := int64(1); permits < 8; permits++ {
		limit := s.still(permits)
		together, apart := fmt.Sprint(s.key, "together", permits), fmt.Sprint(s.key, "apart", permits)
		for _, n := range []int64{2, 1, 3, 4} {
			d := s.take(together, limit, n)
			for i := range n {
				single := s.take(apart, limit, 1)
				if nth := d.Nth(i); nth.Granted != single.Granted || nth.Remaining != single.Remaining {
					s.Errorf("limit %d: number %d of %d is %+v, alone it is %+v", permits, i, n, nth, single)
				}
			}
		}
	}
}

func (s *suite) concurrentTakersGetTheLimit() {
	const permits = 24
	limit := s.still(permits)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 3 * permits {
		wg.Go(func() {
			d, err := s.limiter.Take(s.Context(), s.key, limit, 1)
			if err != nil {
				s.Error(err)
				return
			}
			s.sound(d, limit, 1)
			granted.Add(d.Granted)
		})
	}
	wg.Wait()
	if got := granted.Load(); got != permits {
		s.Errorf("%d of %d takes were granted, want %d", got, 3*permits, permits)
	}
}

// A raised limit grants the difference at once, too.
func (s *suite) theRefusedIsNotCharged() {
	low, high := s.still(2), s.still(5)
	if s.algorithm == ratelimit.TokenBucket { // a higher rate would only fill it sooner
		high = low
		low.Permits, low.Burst, high.Permits, high.Burst = 5, 2, 5, 5
	}
	for range 10 {
		s.take(s.key, low, 3)
	}
	if d := s.take(s.key, high, 5); d.Granted != 3 {
		s.Errorf("after the limit rose from 2 to 5 there were %+v, want 3 more", d)
	}
}

func (s *suite) aLoweredLimitCountsAtOnce() {
	high, low := s.still(10), s.still(3)
	s.take(s.key, high, 5)
	if s.algorithm == ratelimit.TokenBucket {
		low = high
		low.Burst = 3 // 5 of 10 are left of the bucket, and 3 fit
		if d := s.take(s.key+"fresh", low, 5); d.Granted != 3 {
			s.Errorf("a smaller bucket grants %+v", d)
		}
		s.take(s.key, high, 5)
	}
	if d := s.take(s.key, low, 1); d.Allowed() {
		s.Errorf("after the limit fell below what was taken: %+v", d)
	}
}

func (s *suite) keysAreApart() {
	limit := s.still(1)
	for _, key := range []string{"", "a", "A", "a:b", "a:", "{a}", "a}{", "ä", "a b\r\n", "\x00", "a\xff"} {
		key = s.key + key
		if d := s.take(key, limit, 2); d.Granted != 1 {
			s.Errorf("the fresh key %q got %+v", key, d)
		}
		if d := s.take(key, limit, 1); d.Granted != 0 {
			s.Errorf("the spent key %q got %+v", key, d)
		}
	}
}

func (s *suite) badArgumentsChangeNothing() {
	good := s.still(5)
	gone, cancel := context.WithCancel(s.Context())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		limit ratelimit.Limit
		n     int64
		want  error
	}{
		{"no window", s.Context(), ratelimit.Limit{Algorithm: s.algorithm, Permits: 1}, 1, ratelimit.ErrLimit},
		{"no such algorithm", s.Context(), ratelimit.Limit{Algorithm: "x", Permits: 1, Window: hour}, 1, ratelimit.ErrLimit},
		{"none asked for", s.Context(), good, 0, ratelimit.ErrPermits},
		{"fewer than none", s.Context(), good, -1, ratelimit.ErrPermits},
		{"too many", s.Context(), good, ratelimit.MaxPermits + 1, ratelimit.ErrPermits},
		{"context ended", gone, good, 1, context.Canceled},
	} {
		if d, err := s.limiter.Take(tt.ctx, s.key, tt.limit, tt.n); !errors.Is(err, tt.want) || d != (ratelimit.Decision{}) {
			s.Errorf("%s: Take = %+v, %v; want %v", tt.name, d, err, tt.want)
		}
	}
	if d := s.take(s.key, good, 9); d.Granted != 5 {
		s.Errorf("after all that %+v, want 5 granted", d)
	}
}

// Callers that take in a loop for a little over two windows get what the algorithm
// promises for the time that really passed.
func (s *suite) noSpanSeesMoreThanItsShare() {
	limit := ratelimit.Limit{Algorithm: s.algorithm, Permits: 25, Window: time.Second}
	switch s.algorithm {
	case ratelimit.TokenBucket:
		limit.Burst = 10
	case ratelimit.LeakyBucket:
		limit.MaxDelay = 200 * time.Millisecond
	}
	var granted atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range 4 {
		wg.Go(func() {
			for time.Since(start) < 2*limit.Window+50*time.Millisecond {
				d, err := s.limiter.Take(s.Context(), s.key, limit, 1)
				if err != nil {
					s.Error(err)
					return
				}
				s.sound(d, limit, 1)
				granted.Add(d.Granted)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)

	const slack = 10 * time.Millisecond // of two clocks over so short a time
	windows := int64((took+slack)/limit.Window) + 2
	flowed := int64((took+slack)*time.Duration(limit.Permits)/limit.Window) + 1
	most := map[ratelimit.Algorithm]int64{
		ratelimit.FixedWindow:   windows * limit.Permits,
		ratelimit.SlidingWindow: windows * limit.Permits,
		ratelimit.TokenBucket:   limit.Burst + flowed,
		ratelimit.LeakyBucket:   flowed + int64(limit.MaxDelay*time.Duration(limit.Permits)/limit.Window),
	}[s.algorithm]
	if got := granted.Load(); got > most || got < limit.Permits {
		s.Errorf("%s: %d permits were granted in %v, want %d to %d", s.algorithm, got, took, limit.Permits, most)
	}
}

func (s *suite) usageLooksAndResetForgets() {
	l, ok := s.limiter.(looker)
	if !ok {
		return
	}
	limit := s.still(10)
	want := func(used, remaining, refused int64) {
		s.Helper()
		u, err := l.Usage(s.Context(), s.key, limit)
		if err != nil {
			s.Fatal(err)
		}
		if u.Limit != limit || u.Used != used || u.Remaining != remaining || u.Refused != refused || u.Reset < 0 || u.Reset == 0 && used > 0 {
			s.Errorf("usage %+v, want %d used, %d left, %d refused", u, used, remaining, refused)
		}
	}
	want(0, 10, 0)
	want(0, 10, 0)
	s.take(s.key, limit, 7)
	want(7, 3, 0)
	s.take(s.key, limit, 5)
	s.take(s.key, limit, 2)
	want(10, 0, 4)
	want(10, 0, 4)
	for range 2 { // again does nothing
		if err := l.Reset(s.Context(), s.key, limit); err != nil {
			s.Fatal(err)
		}
		want(0, 10, 0)
	}
	if d := s.take(s.key, limit, 11); d.Granted != 10 {
		s.Errorf("after a reset %+v, want 10 granted", d)
	}
	if _, err := l.Usage(s.Context(), s.key, ratelimit.Limit{}); !errors.Is(err, ratelimit.ErrLimit) {
		s.Errorf("usage of no limit: %v", err)
	}
	if err := l.Reset(s.Context(), s.key, ratelimit.Limit{}); !errors.Is(err, ratelimit.ErrLimit) {
		s.Errorf("reset of no limit: %v", err)
	}
}
