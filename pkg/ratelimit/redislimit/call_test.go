package redislimit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

const secret = "s3cret-record"

// limits has one limit of each algorithm; the paced ones grant a permit each 6 s.
var limits = map[ratelimit.Algorithm]ratelimit.Limit{
	ratelimit.FixedWindow:   {Permits: 10, Window: time.Minute},
	ratelimit.SlidingWindow: {Algorithm: ratelimit.SlidingWindow, Permits: 10, Window: time.Minute},
	ratelimit.TokenBucket:   {Algorithm: ratelimit.TokenBucket, Permits: 10, Window: time.Minute, Burst: 5},
	ratelimit.LeakyBucket:   {Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: time.Minute, MaxDelay: 7 * time.Second},
}

// testCall asks for 3 permits in the minute that starts at 1200 s.
func testCall(a ratelimit.Algorithm, guarded bool) *call {
	c := &call{question: question{key: "k", limit: limits[a]}, n: 3, start: time.Unix(1200, 0)}
	if guarded {
		c.guard, c.guarded = Guard{Key: "record:k", Value: secret}, true
	}
	return c
}

// plain puts values in the place of pointers, as go-redis writes them.
func plain(args []any) []any {
	for i, arg := range args {
		switch arg := arg.(type) {
		case *string:
			args[i] = *arg
		case *int64:
			args[i] = *arg
		}
	}
	return args
}

func TestCommandArguments(t *testing.T) {
	const (
		fixed, sliding = ratelimit.FixedWindow, ratelimit.SlidingWindow
		bucket, queue  = ratelimit.TokenBucket, ratelimit.LeakyBucket
	)
	forget := func(a ratelimit.Algorithm) *call {
		return &call{question: question{key: "k", limit: limits[a]}, reset: true, start: time.Unix(1200, 0)}
	}
	tests := []struct {
		name string
		call *call
		want []any
	}{
		{"take", testCall(fixed, false), []any{"evalsha", takeFixed.sha, 2, "rate_count:k:1200", "rate_refused:k:1200", int64(3), int64(10), int64(1200), int64(60), int64(0)}},
		{"take if", testCall(fixed, true), []any{"evalsha", takeFixed.sha, 3, "rate_count:k:1200", "rate_refused:k:1200", "record:k", int64(3), int64(10), int64(1200), int64(60), int64(0), secret}},
		{"reset", forget(fixed), []any{"evalsha", reset.sha, 2, "rate_count:k:1200", "rate_refused:k:1200", int64(1200), int64(60)}},
		{"sliding", testCall(sliding, false), []any{"evalsha", takeSliding.sha, 2, "rate_sliding:k", "rate_refused:k", int64(3), int64(10), int64(60), int64(0)}},
		{"bucket", testCall(bucket, false), []any{"evalsha", takePace.sha, 2, "rate_bucket:k", "rate_refused:k", int64(3), int64(6_000_000), int64(30_000_000), int64(60_000), int64(0)}},
		{"bucket if", testCall(bucket, true), []any{"evalsha", takePace.sha, 3, "rate_bucket:k", "rate_refused:k", "record:k", int64(3), int64(6_000_000), int64(30_000_000), int64(60_000), int64(0), secret}},
		{"queue", testCall(queue, false), []any{"evalsha", takePace.sha, 2, "rate_queue:k", "rate_refused:k", int64(3), int64(6_000_000), int64(13_000_000), int64(60_000), int64(0)}},
		{"reset of a queue", forget(queue), []any{"evalsha", reset.sha, 2, "rate_queue:k", "rate_refused:k"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := tt.call.command(t.Context(), new(Options))
			if diff := cmp.Diff(tt.want, plain(cmd.Args())); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
			if !cmd.NoRetry() {
				t.Error("the client may send the command again")
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	const (
		first   = int64(1200_000_000) // of the window, in Unix microseconds
		last    = int64(1259_999_999)
		outside = int64(1260_000_000)
		fixed   = ratelimit.FixedWindow
		sliding = ratelimit.SlidingWindow
		bucket  = ratelimit.TokenBucket
		queue   = ratelimit.LeakyBucket
	)
	granted := func(a ratelimit.Algorithm, now, granted, remaining int64, reset, more, retry, delay time.Duration) *answer {
		return &answer{status: taken, now: now, decision: ratelimit.Decision{
			Limit: limits[a], Granted: granted, Remaining: remaining, Reset: reset, More: more, RetryAfter: retry, Delay: delay,
		}}
	}
	tests := []struct {
		name      string
		algorithm ratelimit.Algorithm
		guarded   bool
		reply     any
		want      *answer // nil for a malformed reply
	}{
		{"taken", fixed, false, []any{int64(0), first, int64(3), int64(0)}, granted(fixed, first, 3, 7, time.Minute, time.Minute, 0, 0)},
		{"taken, guarded", fixed, true, []any{int64(0), last, int64(0), int64(99)}, granted(fixed, last, 0, 0, time.Microsecond, time.Microsecond, time.Microsecond, 0)},
		{"taken in part", fixed, true, []any{int64(0), first, int64(1), int64(9)}, granted(fixed, first, 1, 0, time.Minute, time.Minute, time.Minute, 0)},
		{"other window", fixed, false, []any{int64(1), outside}, &answer{status: otherWindow, now: outside}},
		{"earlier window", fixed, true, []any{int64(1), first - 1}, &answer{status: otherWindow, now: first - 1}},
		{"guard gone", fixed, true, []any{int64(2), first}, &answer{status: guardChanged, now: first}},
		{"guard changed", queue, true, []any{int64(2), outside, "new"}, &answer{status: guardChanged, now: outside, current: "new", exists: true}},
		{"guard empty", bucket, true, []any{int64(2), first, ""}, &answer{status: guardChanged, now: first, exists: true}},
		{"sliding", sliding, false, []any{int64(0), first, int64(3), int64(0), int64(0), int64(0)}, granted(sliding, first, 3, 7, 2*time.Minute, 80*time.Second, 0, 0)},
		{"sliding in part", sliding, false, []any{int64(0), first + 30_000_000, int64(2), int64(1200), int64(4), int64(8)},
			granted(sliding, first+30_000_000, 2, 0, 90*time.Second, 7500*time.Millisecond, 7500*time.Millisecond, 0)},
		{"full bucket", bucket, false, []any{int64(0), first, int64(3), int64(0)}, granted(bucket, first, 3, 2, 18*time.Second, 6*time.Second, 0, 0)},
		{"nearly empty bucket", bucket, true, []any{int64(0), first, int64(1), first + 24_000_000}, granted(bucket, first, 1, 0, 30*time.Second, 6*time.Second, 6*time.Second, 0)},
		{"empty queue", queue, false, []any{int64(0), first, int64(2), int64(0)}, granted(queue, first, 2, 0, 12*time.Second, 5*time.Second, 5*time.Second, 0)},
		{"queue of one", queue, false, []any{int64(0), first, int64(1), first + 6_000_000}, granted(queue, first, 1, 0, 12*time.Second, 5*time.Second, 5*time.Second, 6*time.Second)},

		{"nothing", fixed, false, nil, nil},
		{"a string", fixed, false, "OK", nil},
		{"an integer", fixed, false, int64(0), nil},
		{"empty", fixed, false, []any{}, nil},
		{"status alone", fixed, false, []any{int64(1)}, nil},
		{"five elements", fixed, false, []any{int64(0), first, int64(3), int64(0), int64(0)}, nil},
		{"status as a string", fixed, false, []any{"0", first, int64(3), int64(0)}, nil},
		{"status nil", fixed, false, []any{nil, first, int64(3), int64(0)}, nil},
		{"unknown status", fixed, false, []any{int64(3), first, int64(3), int64(0)}, nil},
		{"negative status", fixed, false, []any{int64(-1), first}, nil},
		{"time as a string", fixed, false, []any{int64(0), "1200000000", int64(3), int64(0)}, nil},
		{"time zero", fixed, false, []any{int64(1), int64(0)}, nil},
		{"time negative", fixed, false, []any{int64(1), int64(-5)}, nil},
		{"taken without numbers", fixed, false, []any{int64(0), first}, nil},
		{"count as a string", fixed, false, []any{int64(0), first, int64(3), "0"}, nil},
		{"count nil", fixed, false, []any{int64(0), first, int64(3), nil}, nil},
		{"count negative", fixed, false, []any{int64(0), first, int64(3), int64(-7)}, nil},
		{"more granted than due", fixed, false, []any{int64(0), first, int64(3), int64(8)}, nil},
		{"less granted than due", fixed, false, []any{int64(0), first, int64(2), int64(7)}, nil},
		{"more granted than asked for", fixed, false, []any{int64(0), first, int64(4), int64(0)}, nil},
		{"taken from another window", fixed, false, []any{int64(0), outside, int64(3), int64(0)}, nil},
		{"other window, but it is this", fixed, false, []any{int64(1), last}, nil},
		{"other window with a count", fixed, false, []any{int64(1), outside, int64(3)}, nil},
		{"other window without windows", bucket, false, []any{int64(1), outside}, nil},
		{"sliding without its counters", sliding, false, []any{int64(0), first, int64(3), int64(0)}, nil},
		{"more from the bucket than due", bucket, false, []any{int64(0), first, int64(2), first + 24_000_000}, nil},
		{"bucket's time beyond counting", bucket, false, []any{int64(0), first, int64(0), int64(1 << 53)}, nil},
		{"guard changed without a guard", fixed, false, []any{int64(2), first, "new"}, nil},
		{"guard gone without a guard", fixed, false, []any{int64(2), first}, nil},
		{"guard's value an integer", fixed, true, []any{int64(2), first, int64(7)}, nil},
		{"guard's value nil", fixed, true, []any{int64(2), first, nil}, nil},
		{"guard changed to two values", fixed, true, []any{int64(2), first, "new", "newer"}, nil},
		{"guard changed to the same", fixed, true, []any{int64(2), first, secret}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := testCall(tt.algorithm, tt.guarded).answer(tt.reply)
			if tt.want == nil {
				if !errors.Is(err, ErrReply) || got != (answer{}) {
					t.Fatalf("answer = %+v, %v; want ErrReply", got, err)
				}
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q shows the guard's value", err)
				}
				return
			}
			got.before = ratelimit.State{} // what is decided from it is compared
			if err != nil || got != *tt.want {
				t.Errorf("answer = %+v, %v; want %+v", got, err, *tt.want)
			}
		})
	}
}

// Whatever comes back, the decision is within the limit or there is none.
func FuzzAnswer(f *testing.F) {
	f.Add(uint8(0), true, uint8(4), int64(0), int64(1200_000_000), int64(3), int64(0), int64(0), "", uint8(0))
	f.Add(uint8(1), true, uint8(3), int64(2), int64(1200_000_000), int64(0), int64(0), int64(0), "new", uint8(1))
	f.Add(uint8(0), false, uint8(2), int64(1), int64(1260_000_000), int64(0), int64(0), int64(0), "", uint8(0))
	f.Add(uint8(2), false, uint8(9), int64(0), int64(-1), int64(-1), int64(0), int64(0), "", uint8(2))
	f.Add(uint8(1), false, uint8(6), int64(0), int64(1230_000_000), int64(2), int64(1200), int64(4), "", uint8(0))
	f.Add(uint8(2), false, uint8(4), int64(0), int64(1200_000_000), int64(1), int64(1224_000_000), int64(0), "", uint8(0))
	f.Add(uint8(3), false, uint8(4), int64(0), int64(1200_000_000), int64(1), int64(1206_000_000), int64(0), "", uint8(0))
	algorithms := []ratelimit.Algorithm{ratelimit.FixedWindow, ratelimit.SlidingWindow, ratelimit.TokenBucket, ratelimit.LeakyBucket}
	f.Fuzz(func(t *testing.T, algorithm uint8, guarded bool, length uint8, code, now, tally, first, second int64, text string, kind uint8) {
		third := []any{tally, text, nil, []any{tally}, float64(tally)}[kind%5]
		reply := make([]any, length%8)
		copy(reply, []any{code, now, third, first, second, int64(8)})

		c := testCall(algorithms[algorithm%4], guarded)
		a, err := c.answer(reply)
		if err != nil {
			if !errors.Is(err, ErrReply) {
				t.Fatalf("error %v is no ErrReply", err)
			}
			return
		}
		switch a.status {
		case taken:
			if d := a.decision; d.Granted != tally || d.Granted < 0 || d.Granted > c.n || d.Remaining < 0 || d.Reset < 0 || (d.RetryAfter > 0) != (d.Granted < c.n) || d.Delay > c.limit.MaxDelay {
				t.Errorf("%v decided %+v", reply, d)
			}
		case otherWindow:
			if c.covers(a.now) {
				t.Errorf("time %d taken for another window", a.now)
			}
		case guardChanged:
			if !c.guarded || a.exists && a.current == c.guard.Value {
				t.Errorf("guard %+v changed to %+v", c.guard, a)
			}
		default:
			t.Errorf("status %d accepted", a.status)
		}
	})
}
