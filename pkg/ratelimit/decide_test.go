package ratelimit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// everyAlgorithm is a limit in each algorithm's form.
func everyAlgorithm(permits int64, window time.Duration) []Limit {
	return []Limit{
		{Algorithm: FixedWindow, Permits: permits, Window: window},
		{Algorithm: SlidingWindow, Permits: permits, Window: window},
		{Algorithm: TokenBucket, Permits: permits, Window: window},
		{Algorithm: LeakyBucket, Permits: permits, Window: window, MaxDelay: min(window, maxDelay)},
	}
}

// overSchedules runs a test over random limits of every algorithm.
func overSchedules(t *testing.T, test func(t *testing.T, rng *rand.Rand, limit Limit)) {
	t.Helper()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		for _, limit := range everyAlgorithm(1+rng.Int64N(40), time.Duration(1+rng.Int64N(30))*time.Second) {
			if limit.Algorithm == TokenBucket {
				limit.Burst = rng.Int64N(60)
			}
			if limit.Algorithm == LeakyBucket {
				limit.MaxDelay = time.Duration(rng.Int64N(int64(2 * limit.Window)))
			}
			t.Run(fmt.Sprintf("seed %d/%s", seed, limit.Algorithm), func(t *testing.T) {
				if err := limit.Validate(); err != nil {
					t.Fatal(err)
				}
				test(t, rng, limit)
			})
		}
	}
}

// pause is a random time between requests: often none, often much less than a
// permit needs, now and then longer than the window.
func pause(rng *rand.Rand, limit Limit) time.Duration {
	scale := []time.Duration{0, 1, limit.Window / time.Duration(limit.Permits) / 4, limit.Window / 8, 2 * limit.Window}
	return time.Duration(rng.Int64N(int64(scale[rng.IntN(len(scale))] + 1)))
}

var aTime = time.Unix(1_700_000_000, 123_456_789)

// Asking for n at once is asking n times for one, in every respect.
func TestDecideManyAtOnceIsManyInARow(t *testing.T) {
	overSchedules(t, func(t *testing.T, rng *rand.Rand, limit Limit) {
		now, state := aTime, State{}
		for range 200 {
			now = now.Add(pause(rng, limit))
			n := 1 + rng.Int64N(9)
			after, d := limit.Decide(state, n, now)
			for i := range n {
				var single Decision
				state, single = limit.Decide(state, 1, now)
				if diff := cmp.Diff(single, d.Nth(i)); diff != "" {
					t.Fatalf("number %d of %d (-alone +together):\n%s", i, n, diff)
				}
			}
			if state != after {
				t.Fatalf("%d at once leave %+v, in a row %+v", n, after, state)
			}
		}
	})
}

// What a decision says of the future comes true, to the microsecond.
func TestDecideKeepsItsWord(t *testing.T) {
	overSchedules(t, func(t *testing.T, rng *rand.Rand, limit Limit) {
		now, state := aTime.Truncate(time.Microsecond), State{}
		_, fresh := limit.Decide(State{}, 0, now)
		most := fresh.Remaining
		for range 200 {
			now = now.Add(pause(rng, limit).Truncate(time.Microsecond))
			n := 1 + rng.Int64N(9)
			var d Decision
			state, d = limit.Decide(state, n, now)

			left := func(at time.Time) int64 { return limit.Usage(state, at).Remaining }
			if got := left(now); got != d.Remaining {
				t.Fatalf("%+v, but %d are left", d, got)
			}
			if d.Granted < n {
				if got := left(now.Add(d.RetryAfter)); got < 1 {
					t.Fatalf("%+v, but nothing is left when to come back", d)
				}
				if got := left(now.Add(d.RetryAfter - time.Microsecond)); got > 0 {
					t.Fatalf("%+v, but %d are left before", d, got)
				}
			}
			if d.More > d.Reset || d.Remaining < most && d.More <= 0 || d.RetryAfter > 0 && d.RetryAfter != d.More {
				t.Fatalf("%+v contradicts itself", d)
			}
			if got := left(now.Add(d.More)); d.Remaining < most && got <= d.Remaining {
				t.Fatalf("%+v, but no more than %d are there when more should be", d, got)
			}
			if got := left(now.Add(d.More - time.Microsecond)); got > d.Remaining {
				t.Fatalf("%+v, but %d are left before", d, got)
			}
			if got := left(now.Add(d.Reset)); got != most {
				t.Fatalf("%+v, but %d of %d are left then", d, got, most)
			}
			if d.Delay > limit.MaxDelay {
				t.Fatalf("%+v: delayed for too long", d)
			}
		}
	})
}

// A client that is alone on a key and waits as it is told is never refused: neither
// after a refusal, nor when it was told that nothing is left.
func TestAnObedientClientIsNeverTooEarly(t *testing.T) {
	overSchedules(t, func(t *testing.T, rng *rand.Rand, limit Limit) {
		obey(t, rng, limit, func(state *State, now time.Time) Decision {
			var d Decision
			*state, d = limit.Decide(*state, 1, now)
			return d
		})
	})
}

// obey makes requests until nothing is left, or until a refusal, and then waits as the
// header says, to the second.
func obey(t *testing.T, rng *rand.Rand, limit Limit, take func(*State, time.Time) Decision) {
	t.Helper()
	now, state, waited := aTime, State{}, false
	for range 300 {
		d := take(&state, now)
		if waited && !d.Allowed() {
			t.Fatalf("refused although it waited as told: %+v", d)
		}
		h := http.Header{}
		d.SetHeader(h)
		told := h.Get("Retry-After")
		quota, remaining, seconds := fields(t, h)
		if quota != limit.Permits || remaining != d.Remaining || told != "" && number(t, told) < seconds {
			t.Fatalf("%+v is told as %v", d, h)
		}
		now = now.Add(d.Delay)
		switch waited = true; {
		case told != "":
			now = now.Add(time.Duration(number(t, told)) * time.Second)
		case remaining == 0 && rng.IntN(3) > 0:
			now = now.Add(time.Duration(seconds) * time.Second)
		default:
			waited = remaining > 0
			now = now.Add(pause(rng, limit))
		}
	}
}

// fields reads q of RateLimit-Policy, and r and t of RateLimit.
func fields(t *testing.T, h http.Header) (q, r, seconds int64) {
	t.Helper()
	_, err := fmt.Sscanf(h.Get("RateLimit-Policy"), `"default";q=%d`, &q)
	if err == nil {
		_, err = fmt.Sscanf(h.Get("RateLimit"), `"default";r=%d;t=%d`, &r, &seconds)
	}
	if err != nil {
		t.Fatalf("%v: %v", h, err)
	}
	return q, r, seconds
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// grants are the times, in Unix microseconds, at which permits may be used, one for
// each permit, under a random demand.
func grants(rng *rand.Rand, limit Limit, greedy bool) []int64 {
	var used []int64
	now, state := aTime, State{}
	for range 200 {
		now = now.Add(pause(rng, limit))
		n := 1 + rng.Int64N(9)
		if greedy {
			n = MaxPermits
		}
		var d Decision
		state, d = limit.Decide(state, n, now)
		for i := range d.Granted {
			used = append(used, now.UnixMicro()+d.Nth(i).Delay.Microseconds())
		}
	}
	return used
}

// count is how many of the sorted times lie from from up to but not including to.
func count(times []int64, from, to int64) int64 {
	first, _ := slices.BinarySearch(times, from)
	last, _ := slices.BinarySearch(times, to)
	return int64(last - first)
}

// The stated bounds, over every span that begins and ends with a grant.
func TestDecideBoundsEverySpan(t *testing.T) {
	overSchedules(t, func(t *testing.T, rng *rand.Rand, limit Limit) {
		for _, greedy := range []bool{true, false} {
			used := grants(rng, limit, greedy)
			if !slices.IsSorted(used) {
				t.Fatal("a permit overtakes the one before")
			}
			instants := slices.Compact(slices.Clone(used))
			for i, from := range instants {
				boundsSpansFrom(t, limit, used, instants[i:], from)
			}
		}
	})
}

// boundsSpansFrom checks the spans that begin with the first of the instants.
func boundsSpansFrom(t *testing.T, limit Limit, used, instants []int64, from int64) {
	t.Helper()
	window := limit.Window.Microseconds()
	boundary := WindowStart(time.UnixMicro(from), limit.Window).UnixMicro() + window
	switch limit.Algorithm {
	case FixedWindow, SlidingWindow:
		if n := count(used, boundary-window, boundary); n > limit.Permits {
			t.Fatalf("%d in the window before %d", n, boundary)
		}
		if limit.Algorithm == FixedWindow {
			return
		}
		// Of what the span has before the boundary, so much still counts at its end as
		// its end is short of the next one.
		to := from + window
		before := count(used, from, boundary)
		most := limit.Permits + before*(to-boundary)/window
		if n := count(used, from, to); n > most {
			t.Fatalf("%d from %d, of them %d before the boundary: want at most %d", n, from, before, most)
		}
	case TokenBucket:
		for _, to := range instants {
			flowed := (to - from) * limit.Permits / window
			if n := count(used, from, to+1); n > limit.burst()+flowed {
				t.Fatalf("%d within %d µs, want at most %d and %d", n, to-from, limit.burst(), flowed)
			}
		}
	case LeakyBucket:
		if n := count(used, from, from+1); n > 1 {
			t.Fatalf("%d at once", n)
		}
		if len(instants) > 1 && (instants[1]-from)*limit.Permits < window {
			t.Fatalf("%d µs apart, want %d/%d", instants[1]-from, window, limit.Permits)
		}
	}
}

// Not one fewer either: whoever always asks gets all that there is.
func TestDecideGrantsAllThatIsThere(t *testing.T) {
	const windows = 5
	for _, limit := range everyAlgorithm(10, 10*time.Second) {
		start := time.Unix(1_700_000_000, 0) // of a window
		var granted int64
		state := State{}
		for at := time.Duration(0); at < windows*limit.Window; at += 100 * time.Millisecond {
			var d Decision
			state, d = limit.Decide(state, MaxPermits, start.Add(at))
			granted += d.Granted
		}
		want := map[Algorithm]int64{
			FixedWindow: 10 * windows,
			// Of each window's ten the window before takes one away, or what it had less.
			SlidingWindow: 10 + 9 + 9 + 9 + 9,
			TokenBucket:   10 + 10*windows - 1,
			LeakyBucket:   11 + 10*windows - 1,
		}[limit.Algorithm]
		if granted != want {
			t.Errorf("%s: %d granted over %d windows, want %d", limit.Algorithm, granted, windows, want)
		}
	}
}

func TestDecideTokenBucket(t *testing.T) {
	limit := Limit{Algorithm: TokenBucket, Permits: 10, Window: time.Minute, Burst: 3} // one each 6 s
	now := time.Unix(1000, 0)
	at := func(d time.Duration) int64 { return now.Add(d).UnixMicro() }
	tests := []struct {
		name   string
		limit  Limit
		full   int64
		n      int64
		want   Decision // but for Limit
		wantTo int64
	}{
		{"untouched", limit, 0, 1, Decision{Granted: 1, Remaining: 2, More: 6 * time.Second, Reset: 6 * time.Second}, at(6 * time.Second)},
		{"long full", limit, at(-time.Hour), 3, Decision{Granted: 3, More: 6 * time.Second, Reset: 18 * time.Second}, at(18 * time.Second)},
		{"in part", limit, at(6 * time.Second), 3, Decision{Granted: 2, Reset: 18 * time.Second, RetryAfter: 6 * time.Second}, at(18 * time.Second)},
		{"nearly one", limit, at(12*time.Second + time.Microsecond), 1, Decision{Reset: 12*time.Second + time.Microsecond, RetryAfter: time.Microsecond}, at(12*time.Second + time.Microsecond)},
		{"just one", limit, at(12 * time.Second), 1, Decision{Granted: 1, More: 6 * time.Second, Reset: 18 * time.Second}, at(18 * time.Second)},
		{"as many as can be", limit, 0, MaxPermits, Decision{Granted: 3, Reset: 18 * time.Second, RetryAfter: 6 * time.Second}, at(18 * time.Second)},
		{"left by a larger limit", limit, at(time.Hour), 1, Decision{Reset: 18 * time.Second, RetryAfter: 6 * time.Second}, at(18 * time.Second)},
		{"nothing allowed", Limit{Algorithm: TokenBucket, Window: time.Minute, Burst: 3}, at(time.Second), 1, Decision{Reset: time.Second, RetryAfter: 61 * time.Second}, at(time.Second)},
		{"interval rounded up", Limit{Algorithm: TokenBucket, Permits: 7, Window: time.Second}, 0, 1, Decision{Granted: 1, Remaining: 6, More: 142_858 * time.Microsecond, Reset: 142_858 * time.Microsecond}, at(142_858 * time.Microsecond)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Limit = tt.limit
			if tt.want.RetryAfter > 0 {
				tt.want.More = tt.want.RetryAfter
			}
			state, got := tt.limit.Decide(State{Full: tt.full}, tt.n, now)
			wantDecided(t, got, tt.want, state, State{Full: tt.wantTo})
		})
	}
}

func wantDecided(t *testing.T, got, want Decision, state, wantState State) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if state != wantState {
		t.Errorf("state %+v, want %+v", state, wantState)
	}
}

func TestDecideLeakyBucket(t *testing.T) {
	limit := Limit{Algorithm: LeakyBucket, Permits: 10, Window: time.Minute, MaxDelay: 13 * time.Second}
	now := time.Unix(1000, 0)
	at := func(d time.Duration) int64 { return now.Add(d).UnixMicro() }
	tests := []struct {
		name   string
		limit  Limit
		full   int64
		n      int64
		want   Decision // but for Limit
		wantTo int64
	}{
		{"idle", limit, 0, 1, Decision{Granted: 1, Remaining: 2, More: 5 * time.Second, Reset: 6 * time.Second}, at(6 * time.Second)},
		{"one before", limit, at(6 * time.Second), 1, Decision{Granted: 1, Remaining: 1, More: 5 * time.Second, Reset: 12 * time.Second, Delay: 6 * time.Second}, at(12 * time.Second)},
		{"three", limit, 0, 3, Decision{Granted: 3, More: 5 * time.Second, Reset: 18 * time.Second}, at(18 * time.Second)},
		{"in part", limit, at(2 * time.Second), 4, Decision{Granted: 2, Reset: 14 * time.Second, RetryAfter: time.Second, Delay: 2 * time.Second}, at(14 * time.Second)},
		{"as long a wait as can be", limit, at(13 * time.Second), 1, Decision{Granted: 1, More: 6 * time.Second, Reset: 19 * time.Second, Delay: 13 * time.Second}, at(19 * time.Second)},
		{"too long a wait", limit, at(14 * time.Second), 1, Decision{Reset: 14 * time.Second, RetryAfter: time.Second}, at(14 * time.Second)},
		{"no waiting at all", Limit{Algorithm: LeakyBucket, Permits: 10, Window: time.Minute}, at(time.Microsecond), 1, Decision{Reset: time.Microsecond, RetryAfter: time.Microsecond}, at(time.Microsecond)},
		{"left by a longer queue", limit, at(time.Hour), 1, Decision{Reset: 19 * time.Second, RetryAfter: 6 * time.Second}, at(19 * time.Second)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Limit = tt.limit
			if tt.want.RetryAfter > 0 {
				tt.want.More = tt.want.RetryAfter
			}
			state, got := tt.limit.Decide(State{Full: tt.full}, tt.n, now)
			wantDecided(t, got, tt.want, state, State{Full: tt.wantTo})
		})
	}
}

func TestDecideSlidingWindow(t *testing.T) {
	limit := Limit{Algorithm: SlidingWindow, Permits: 10, Window: time.Minute}
	const start = 1200 // of a minute
	in := func(d time.Duration) time.Time { return time.Unix(start, 0).Add(d) }
	tests := []struct {
		name      string
		limit     Limit
		state     State
		now       time.Time
		n         int64
		want      Decision // but for Limit
		wantState State
	}{
		{"untouched", limit, State{}, in(0), 3,
			Decision{Granted: 3, Remaining: 7, More: 80 * time.Second, Reset: 2 * time.Minute}, State{Window: start, Current: 3}},
		{"the same window", limit, State{start, 3, 0, 0}, in(20 * time.Second), 3,
			Decision{Granted: 3, Remaining: 4, More: 50 * time.Second, Reset: 100 * time.Second}, State{Window: start, Current: 6}},
		{"half of the window before", limit, State{start - 60, 8, 5, 0}, in(30 * time.Second), 7,
			Decision{Granted: 6, Reset: 90 * time.Second, RetryAfter: 7500 * time.Millisecond}, State{start, 6, 8, 0}},
		{"a permit is counted while a part of it counts", limit, State{start, 0, 10, 0}, in(5999 * time.Millisecond), 1,
			Decision{Reset: 54_001 * time.Millisecond, RetryAfter: time.Millisecond}, State{start, 0, 10, 0}},
		{"and then no more", limit, State{start, 0, 10, 0}, in(6 * time.Second), 1,
			Decision{Granted: 1, More: 6 * time.Second, Reset: 114 * time.Second}, State{start, 1, 10, 0}},
		{"spent in this window", limit, State{start, 10, 0, 0}, in(15 * time.Second), 1,
			Decision{Reset: 105 * time.Second, RetryAfter: 51 * time.Second}, State{start, 10, 0, 0}},
		{"two windows later", limit, State{start - 120, 10, 10, 0}, in(0), 10,
			Decision{Granted: 10, More: 66 * time.Second, Reset: 2 * time.Minute}, State{Window: start, Current: 10}},
		{"the clock went back", limit, State{start + 60, 4, 6, 0}, in(59 * time.Second), 1,
			Decision{Reset: 121 * time.Second, RetryAfter: 11 * time.Second}, State{start + 60, 4, 6, 0}},
		{"lowered", Limit{Algorithm: SlidingWindow, Permits: 4, Window: time.Minute}, State{start, 0, 10, 0}, in(30 * time.Second), 4,
			Decision{Granted: 2, Reset: 90 * time.Second, RetryAfter: 15 * time.Second}, State{start, 2, 10, 0}},
		{"nothing allowed", Limit{Algorithm: SlidingWindow, Window: time.Minute}, State{}, in(15 * time.Second), 1,
			Decision{Reset: 45 * time.Second, RetryAfter: 45 * time.Second}, State{Window: start}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Limit = tt.limit
			if tt.want.RetryAfter > 0 {
				tt.want.More = tt.want.RetryAfter
			}
			state, got := tt.limit.Decide(tt.state, tt.n, tt.now)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if state != tt.wantState {
				t.Errorf("state %+v, want %+v", state, tt.wantState)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	now := time.Unix(1230, 0) // half a minute into a window
	for _, limit := range everyAlgorithm(10, time.Minute) {
		fresh := limit.Usage(State{}, now)
		if fresh.Used != 0 || fresh.Refused != 0 || fresh.Limit != limit {
			t.Errorf("%s: untouched: %+v", limit.Algorithm, fresh)
		}
		state, d := limit.Decide(State{}, 4, now)
		used := limit.Usage(state, now)
		if used.Used != 4 || used.Remaining != d.Remaining || used.Reset != d.Reset {
			t.Errorf("%s: after 4: %+v, and the decision was %+v", limit.Algorithm, used, d)
		}
		if state, _ = limit.Decide(state, MaxPermits, now); limit.Usage(state, now).Remaining != 0 {
			t.Errorf("%s: spent: %+v", limit.Algorithm, limit.Usage(state, now))
		}
		if later := limit.Usage(state, now.Add(2*time.Minute)); later.Used != 0 || later.Remaining != fresh.Remaining {
			t.Errorf("%s: two windows later: %+v", limit.Algorithm, later)
		}
	}
	sliding := Limit{Algorithm: SlidingWindow, Permits: 10, Window: time.Minute}
	if u := sliding.Usage(State{Window: 1140, Current: 8}, now); u.Used != 4 || u.Remaining != 6 {
		t.Errorf("half of the window before: %+v, want 4 used and 6 left", u)
	}
}

func TestLeft(t *testing.T) {
	now := time.Unix(1230, 0)
	for _, limit := range everyAlgorithm(10, time.Minute) {
		most := limit.Usage(State{}, now).Remaining
		for _, remaining := range []int64{math.MinInt64, -1, 0, 1, 5, most - 1, most, most + 1, math.MaxInt64} {
			state := limit.Left(remaining, now)
			if got, want := limit.Usage(state, now).Remaining, min(max(remaining, 0), most); got != want {
				t.Errorf("%s: Left(%d) leaves %d, want %d", limit.Algorithm, remaining, got, want)
			}
		}
	}
}

// Whatever the arguments, nothing panics, and valid ones give sound decisions.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(1), int64(10), int64(60), int64(0), int64(0), int64(1200), int64(3), int64(4), int64(0), int64(5), int64(1_230_000_000))
	f.Add(uint8(2), int64(10), int64(60), int64(5), int64(0), int64(0), int64(0), int64(0), int64(1_240_000_000), int64(5), int64(1_230_000_000))
	f.Add(uint8(3), int64(10), int64(60), int64(0), int64(time.Second), int64(0), int64(0), int64(0), int64(1_240_000_000), int64(5), int64(1_230_000_000))
	f.Add(uint8(9), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MinInt64))
	algorithms := []Algorithm{FixedWindow, SlidingWindow, TokenBucket, LeakyBucket}
	f.Fuzz(func(t *testing.T, algorithm uint8, permits, seconds, burst, delay, window, current, previous, full, n, now int64) {
		limit := Limit{Algorithm: algorithms[algorithm%4], Permits: permits, Window: time.Duration(seconds) * time.Second, Burst: burst, MaxDelay: time.Duration(delay)}
		state := State{Window: window, Current: current, Previous: previous, Full: full}
		after, d := limit.Decide(state, n, time.UnixMicro(now))
		_ = limit.Usage(state, time.UnixMicro(now))
		_ = limit.Left(n, time.UnixMicro(now))
		_ = d.Nth(n)
		const counted = 1 << 53 // as far as stores do
		sane := slices.Max([]int64{window, current, previous, full}) < counted && slices.Min([]int64{window, current, previous, full}) >= 0
		if limit.Validate() != nil || !sane || n < 1 || n > MaxPermits || now < 0 || now > 4_000_000_000_000_000 {
			return
		}
		switch {
		case d.Granted < 0 || d.Granted > n || d.Remaining < 0,
			d.Granted > 0 && permits == 0,
			(d.RetryAfter > 0) != (d.Granted < n) || d.RetryAfter < 0,
			d.Reset < 0 || d.Delay < 0 || d.Delay > limit.MaxDelay:
			t.Errorf("%+v from %+v, asked for %d at %d", d, state, n, now)
		case slices.Min([]int64{after.Window, after.Current, after.Previous, after.Full}) < 0:
			t.Errorf("%+v from %+v, asked for %d at %d", after, state, n, now)
		}
	})
}
