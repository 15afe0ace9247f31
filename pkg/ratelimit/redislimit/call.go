package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// ErrReply is wrapped by the error for a reply that contradicts the script or the
// call, or that reports a negative counter. Nothing was granted.
var ErrReply = errors.New("redislimit: malformed reply")

// ErrState is wrapped by the error for a key whose counter or state in Redis holds
// something else: a text, a list, a negative number. Nothing was granted. Other keys
// are not affected. [Limiter.Reset] removes the foreign value. ErrState wraps
// ErrReply.
var ErrState error = stateError{}

type stateError struct{}

func (stateError) Error() string { return "redislimit: not a limit's state" }
func (stateError) Unwrap() error { return ErrReply }

// stateFault turns what a script met at the names of a key's state into ErrState.
// A guard may be of a wrong type as well, so with one that is left as it is.
func (c *call) stateFault(err error) error {
	text := err.Error()
	if strings.Contains(text, "value is not an integer") || strings.Contains(text, "would overflow") ||
		!c.guarded && strings.Contains(text, "WRONGTYPE ") {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return err
}

var (
	//go:embed prelude.lua
	preludeSource string
	//go:embed fixed.lua
	fixedSource string
	//go:embed sliding.lua
	slidingSource string
	//go:embed pace.lua
	paceSource string
	//go:embed reset.lua
	resetSource string

	takeFixed   = newScript(preludeSource + fixedSource)
	takeSliding = newScript(preludeSource + slidingSource)
	takePace    = newScript(preludeSource + paceSource)
	reset       = newScript(resetSource)
)

type script struct{ source, sha string }

func newScript(source string) *script {
	return &script{source, redis.NewScript(source).Hash()}
}

// takeScript is the script of an algorithm, and how many numbers its state has.
func takeScript(a ratelimit.Algorithm) (s *script, state int) {
	switch a {
	case ratelimit.SlidingWindow:
		return takeSliding, 3
	case ratelimit.TokenBucket, ratelimit.LeakyBucket:
		return takePace, 1
	}
	return takeFixed, 1
}

// status is the first element of a script's reply.
type status int64

const (
	taken status = iota
	otherWindow
	guardChanged
)

// A call is one run of a script: it builds the command and reads the reply, but
// does not send, so that any transport can carry it.
type call struct {
	question
	reset   bool      // forget instead of take
	n       int64     // 0 to ask for the guard alone, and for reset
	start   time.Time // of the window that Redis is believed to be in, if windowed
	callers int       // that share it
	// Permits of the key that were refused from memory, for Redis to count.
	elsewhere int64
	whole     bool // send the script itself: Redis does not know it
	trial     bool // nobody waits for it

	// The command's arguments; those of args point at the others.
	names   [2]string
	numbers [5]int64
	args    [12]any

	// What became of it.
	reply answer
	err   error
}

// An answer is a reply of a script that has passed every check.
type answer struct {
	status   status
	now      int64              // Redis's time in Unix microseconds
	before   ratelimit.State    // if taken
	decision ratelimit.Decision // if taken, and some were asked for
	current  string             // if guardChanged, the guard's value
	exists   bool               // if guardChanged, whether it has one
}

// windowed reports whether the state's name holds the start of its window.
func windowed(a ratelimit.Algorithm) bool { return a == ratelimit.FixedWindow || a == "" }

// A charge is a command that go-redis sends at most once, whatever the client's
// MaxRetries: a time-out or a cut connection leaves open whether the permits were
// taken, and a second try would take them twice. Redirections in a Cluster are
// followed all the same, for a node that redirects has not run the script.
type charge struct{ *redis.Cmd }

func (charge) NoRetry() bool { return true }

func (c *call) script() *script {
	if c.reset {
		return reset
	}
	take, _ := takeScript(c.limit.Algorithm)
	return take
}

// command names the script by its hash; Redis answers NOSCRIPT when it does not
// know it, and is then sent the whole.
func (c *call) command(ctx context.Context, o *Options) charge {
	name, script := any("evalsha"), &c.script().sha
	if c.whole {
		name, script = "eval", &c.script().source
	}
	if windowed(c.limit.Algorithm) {
		c.names = [...]string{o.CounterKey(c.key, c.start), o.RefusedKey(c.key, c.start)}
	} else {
		c.names = [...]string{o.StateKey(c.key, c.limit.Algorithm), o.RefusedKey(c.key, time.Time{})}
	}
	// By pointers into the call: boxed, each but a constant would be an allocation.
	args := append(c.args[:0], name, script, len(c.names), &c.names[0], &c.names[1])
	if c.guarded {
		args[2] = len(c.names) + 1
		args = append(args, &c.guard.Key)
	}
	count := c.setNumbers()
	for i := range count {
		args = append(args, &c.numbers[i])
	}
	if c.guarded {
		args = append(args, &c.guard.Value)
	}
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(3)
	return charge{cmd}
}

// setNumbers puts down what the algorithm's script, or reset, wants to know, and
// returns how many numbers that is.
func (c *call) setNumbers() int {
	seconds := int64(c.limit.Window / time.Second)
	switch {
	case windowed(c.limit.Algorithm) && c.reset:
		return copy(c.numbers[:], []int64{c.start.Unix(), seconds})
	case c.reset:
		return 0
	case windowed(c.limit.Algorithm):
		return copy(c.numbers[:], []int64{c.n, c.limit.Permits, c.start.Unix(), seconds, c.elsewhere})
	case c.limit.Algorithm == ratelimit.SlidingWindow:
		return copy(c.numbers[:], []int64{c.n, c.limit.Permits, seconds, c.elsewhere})
	}
	interval, ahead := c.limit.Pace()
	return copy(c.numbers[:], []int64{c.n, interval.Microseconds(), ahead.Microseconds(), seconds * 1000, c.elsewhere})
}

// answer reads a reply. Its errors name positions and numbers only: a guard's
// value may be a secret.
func (c *call) answer(reply any) (answer, error) {
	fields, ok := reply.([]any)
	if !ok || len(fields) < 2 {
		return answer{}, fmt.Errorf("%w: not an array of at least 2 elements", ErrReply)
	}
	code, ok := fields[0].(int64)
	if !ok {
		return answer{}, fmt.Errorf("%w: status is a %T", ErrReply, fields[0])
	}
	now, ok := fields[1].(int64)
	if !ok || now <= 0 {
		return answer{}, fmt.Errorf("%w: no time", ErrReply)
	}
	a := answer{status: status(code), now: now}
	switch a.status {
	case taken:
		return c.taken(a, fields[2:])
	case otherWindow:
		if len(fields) != 2 || !windowed(c.limit.Algorithm) || c.covers(now) {
			return answer{}, fmt.Errorf("%w: wrong window reported", ErrReply)
		}
		return a, nil
	case guardChanged:
		return c.changed(a, fields[2:])
	}
	return answer{}, fmt.Errorf("%w: status %d", ErrReply, code)
}

// taken reads what the script counted: nothing if no permits were asked for, else
// what was granted and the state from before. What follows from that state is
// worked out here, and must agree with the script.
func (c *call) taken(a answer, rest []any) (answer, error) {
	want := 0
	if c.n > 0 {
		_, state := takeScript(c.limit.Algorithm)
		want = 1 + state
	}
	if len(rest) != want {
		return answer{}, fmt.Errorf("%w: %d numbers, want %d", ErrReply, len(rest), want)
	}
	if windowed(c.limit.Algorithm) && (c.n > 0 || c.reset) && !c.covers(a.now) {
		return answer{}, fmt.Errorf("%w: not the current window", ErrReply)
	}
	if c.n == 0 {
		return a, nil
	}
	var numbers [4]int64
	for i, field := range rest {
		n, ok := field.(int64)
		if !ok || n < 0 || n >= 1<<53 {
			return answer{}, fmt.Errorf("%w: element %d is not a whole number from 0 to 2^53", ErrReply, i)
		}
		numbers[i] = n
	}
	now, state := time.UnixMicro(a.now), c.state(numbers[1:])
	a.before = state
	if _, a.decision = c.limit.Decide(state, c.n, now); a.decision.Granted != numbers[0] {
		return answer{}, fmt.Errorf("%w: %d permits granted, want %d", ErrReply, numbers[0], a.decision.Granted)
	}
	return a, nil
}

func (c *call) state(numbers []int64) ratelimit.State {
	switch c.limit.Algorithm {
	case ratelimit.SlidingWindow:
		return ratelimit.State{Window: numbers[0], Current: numbers[1], Previous: numbers[2]}
	case ratelimit.TokenBucket, ratelimit.LeakyBucket:
		return ratelimit.State{Full: numbers[0]}
	}
	return ratelimit.State{Window: c.start.Unix(), Current: numbers[0]}
}

func (c *call) changed(a answer, rest []any) (answer, error) {
	if !c.guarded {
		return answer{}, fmt.Errorf("%w: guard changed in a call without a guard", ErrReply)
	}
	switch len(rest) {
	case 0:
		return a, nil
	case 1:
	default:
		return answer{}, fmt.Errorf("%w: guard changed to %d values", ErrReply, len(rest))
	}
	current, ok := rest[0].(string)
	if !ok || current == c.guard.Value {
		return answer{}, fmt.Errorf("%w: guard changed to the expected value or to none", ErrReply)
	}
	a.current, a.exists = current, true
	return a, nil
}

// covers reports whether Redis's time lies in the window that the call named.
func (c *call) covers(now int64) bool {
	return ratelimit.WindowStart(time.UnixMicro(now), c.limit.Window).Equal(c.start)
}

// decision is the part in the answer of a caller that asked for n of the call's
// permits, after those ahead of it: the same as if all had come one by one.
func (c *call) decision(ahead, n int64) ratelimit.Decision {
	if ahead == 0 && n == c.n {
		return c.reply.decision
	}
	state, now := c.reply.before, time.UnixMicro(c.reply.now)
	if ahead > 0 {
		state, _ = c.limit.Decide(state, ahead, now)
	}
	_, d := c.limit.Decide(state, n, now)
	return d
}
