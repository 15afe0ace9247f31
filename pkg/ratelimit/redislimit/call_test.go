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

// testCall asks for 3 of 10 permits in the minute that starts at 1200 s.
func testCall(guarded bool) *call {
	c := &call{
		script: take,
		key:    "k",
		limit:  ratelimit.Limit{Permits: 10, Window: time.Minute},
		n:      3,
		start:  time.Unix(1200, 0),
	}
	if guarded {
		c.guard = &Guard{Key: "record:k", Value: secret}
	}
	return c
}

func TestCommandArguments(t *testing.T) {
	tests := []struct {
		name    string
		guarded bool
		want    []any
	}{
		{"take", false, []any{"evalsha", take.sha, 2, "rate_count:k:1200", "rate_refused:k:1200", int64(1200), int64(60), int64(3), int64(10)}},
		{"take if", true, []any{"evalsha", take.sha, 3, "rate_count:k:1200", "rate_refused:k:1200", "record:k", int64(1200), int64(60), int64(3), int64(10), secret}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := testCall(tt.guarded).command(t.Context())
			if diff := cmp.Diff(tt.want, cmd.Args()); diff != "" {
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
	)
	tests := []struct {
		name    string
		guarded bool
		reply   any
		want    *answer // nil for a malformed reply
	}{
		{"taken", false, []any{int64(0), first, int64(3)}, &answer{status: taken, now: first, count: 3}},
		{"taken, guarded", true, []any{int64(0), last, int64(99)}, &answer{status: taken, now: last, count: 99}},
		{"other window", false, []any{int64(1), outside}, &answer{status: otherWindow, now: outside}},
		{"earlier window", true, []any{int64(1), first - 1}, &answer{status: otherWindow, now: first - 1}},
		{"guard gone", true, []any{int64(2), first}, &answer{status: guardChanged, now: first}},
		{"guard changed", true, []any{int64(2), outside, "new"}, &answer{status: guardChanged, now: outside, current: "new", exists: true}},
		{"guard empty", true, []any{int64(2), first, ""}, &answer{status: guardChanged, now: first, exists: true}},

		{"nothing", false, nil, nil},
		{"a string", false, "OK", nil},
		{"an integer", false, int64(0), nil},
		{"empty", false, []any{}, nil},
		{"status alone", false, []any{int64(1)}, nil},
		{"four elements", false, []any{int64(0), first, int64(3), int64(3)}, nil},
		{"status as a string", false, []any{"0", first, int64(3)}, nil},
		{"status nil", false, []any{nil, first, int64(3)}, nil},
		{"unknown status", false, []any{int64(3), first, int64(3)}, nil},
		{"negative status", false, []any{int64(-1), first}, nil},
		{"time as a string", false, []any{int64(0), "1200000000", int64(3)}, nil},
		{"time zero", false, []any{int64(1), int64(0)}, nil},
		{"time negative", false, []any{int64(1), int64(-5)}, nil},
		{"taken without a count", false, []any{int64(0), first}, nil},
		{"count as a string", false, []any{int64(0), first, "3"}, nil},
		{"count nil", false, []any{int64(0), first, nil}, nil},
		{"count below n", false, []any{int64(0), first, int64(2)}, nil},
		{"count negative", false, []any{int64(0), first, int64(-7)}, nil},
		{"taken from another window", false, []any{int64(0), outside, int64(3)}, nil},
		{"other window, but it is this", false, []any{int64(1), last}, nil},
		{"other window with a count", false, []any{int64(1), outside, int64(3)}, nil},
		{"guard changed without a guard", false, []any{int64(2), first, "new"}, nil},
		{"guard gone without a guard", false, []any{int64(2), first}, nil},
		{"guard's value an integer", true, []any{int64(2), first, int64(7)}, nil},
		{"guard's value nil", true, []any{int64(2), first, nil}, nil},
		{"guard changed to two values", true, []any{int64(2), first, "new", "newer"}, nil},
		{"guard changed to the same", true, []any{int64(2), first, secret}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := testCall(tt.guarded).answer(tt.reply)
			if tt.want == nil {
				if !errors.Is(err, ErrReply) || got != (answer{}) {
					t.Fatalf("answer = %+v, %v; want ErrReply", got, err)
				}
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q shows the guard's value", err)
				}
				return
			}
			if err != nil || got != *tt.want {
				t.Errorf("answer = %+v, %v; want %+v", got, err, *tt.want)
			}
		})
	}
}

// Whatever comes back, the decision is within the limit or there is none.
func FuzzAnswer(f *testing.F) {
	f.Add(true, uint8(3), int64(0), int64(1200_000_000), int64(3), "", uint8(0))
	f.Add(true, uint8(3), int64(2), int64(1200_000_000), int64(0), "new", uint8(1))
	f.Add(false, uint8(2), int64(1), int64(1260_000_000), int64(0), "", uint8(0))
	f.Add(false, uint8(9), int64(0), int64(-1), int64(-1), "", uint8(2))
	f.Fuzz(func(t *testing.T, guarded bool, length uint8, code, now, count int64, text string, kind uint8) {
		third := []any{count, text, nil, []any{count}, float64(count)}[kind%5]
		reply := make([]any, length%6)
		copy(reply, []any{code, now, third, text, count})

		c := testCall(guarded)
		a, err := c.answer(reply)
		if err != nil {
			if !errors.Is(err, ErrReply) {
				t.Fatalf("error %v is no ErrReply", err)
			}
			return
		}
		switch a.status {
		case taken:
			d := c.decision(a, 0, c.n)
			if count != a.count || d.Granted < 0 || d.Granted > c.n || d.Granted > c.limit.Permits-(count-c.n) && d.Granted > 0 {
				t.Errorf("count %d granted %+v", count, d)
			}
			if d.Reset <= 0 || d.Reset > c.limit.Window {
				t.Errorf("reset in %v", d.Reset)
			}
		case otherWindow:
			if c.covers(a.now) {
				t.Errorf("time %d taken for another window", a.now)
			}
		case guardChanged:
			if c.guard == nil || a.exists && a.current == c.guard.Value {
				t.Errorf("guard %+v changed to %+v", c.guard, a)
			}
		default:
			t.Errorf("status %d accepted", a.status)
		}
	})
}
