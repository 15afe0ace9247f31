package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// ErrReply is wrapped by the error for a reply that contradicts the script or the
// call, or that tells of a counter below zero. Nothing was granted.
var ErrReply = errors.New("redislimit: malformed reply")

var (
	//go:embed take.lua
	takeSource string
	//go:embed reset.lua
	resetSource string

	take  = newScript(takeSource)
	reset = newScript(resetSource)
)

type script struct{ source, sha string }

func newScript(source string) *script {
	return &script{source, redis.NewScript(source).Hash()}
}

// status is the first element of the script's reply.
type status int64

const (
	taken status = iota
	otherWindow
	guardChanged
)

// A call is one run of the script: it builds the command and reads the reply,
// but does not send, so that any transport can carry it.
type call struct {
	script  *script
	options Options
	key     string
	limit   ratelimit.Limit
	n       int64 // 0 to look, and for reset
	guard   *Guard
	start   time.Time // of the window that Redis is believed to be in
	callers int       // that share it
	whole   bool      // send the script itself: Redis does not know it

	// What became of it.
	reply answer
	err   error
}

// An answer is a reply of the script that has passed every check.
type answer struct {
	status  status
	now     int64  // Redis's time in Unix microseconds
	count   int64  // if taken, those asked for included
	refused int64  // if taken, and none were asked for
	current string // if guardChanged, the guard's value
	exists  bool   // if guardChanged, whether it has one
}

// A charge is a command that go-redis sends at most once, whatever the client's
// MaxRetries: a time-out or a cut connection leaves open whether the permits were
// taken, and a second try would take them twice. Redirections in a Cluster are
// followed all the same, for a node that redirects has not run the script.
type charge struct{ *redis.Cmd }

func (charge) NoRetry() bool { return true }

// command names the script by its hash; Redis answers NOSCRIPT when it does not
// know it, and is then sent the whole.
func (c *call) command(ctx context.Context) charge {
	name, script := "evalsha", c.script.sha
	if c.whole {
		name, script = "eval", c.script.source
	}
	args := make([]any, 0, 11)
	args = append(args, name, script, 2, c.options.CounterKey(c.key, c.start), c.options.RefusedKey(c.key, c.start))
	if c.guard != nil {
		args[2] = 3
		args = append(args, c.guard.Key)
	}
	args = append(args, c.start.Unix(), int64(c.limit.Window/time.Second))
	if c.script == take {
		args = append(args, c.n, c.limit.Permits)
	}
	if c.guard != nil {
		args = append(args, c.guard.Value)
	}
	cmd := redis.NewCmd(ctx, args...)
	cmd.SetFirstKeyPos(3)
	return charge{cmd}
}

// answer reads a reply. Its errors name positions and numbers only: a guard's
// value may be a secret.
func (c *call) answer(reply any) (answer, error) {
	fields, ok := reply.([]any)
	if !ok || len(fields) < 2 || len(fields) > 4 {
		return answer{}, fmt.Errorf("%w: want an array of 2 to 4", ErrReply)
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
		if len(fields) != 2 || c.covers(now) {
			return answer{}, fmt.Errorf("%w: wrong window reported", ErrReply)
		}
		return a, nil
	case guardChanged:
		return c.changed(a, fields[2:])
	}
	return answer{}, fmt.Errorf("%w: status %d", ErrReply, code)
}

// taken reads what the script counted: nothing after a reset, one counter after a
// take, both after a look.
func (c *call) taken(a answer, rest []any) (answer, error) {
	counters := []*int64{&a.count, &a.refused}
	switch {
	case c.script == reset:
		counters = nil
	case c.n > 0:
		counters = counters[:1]
	}
	if len(rest) != len(counters) || !c.covers(a.now) {
		return answer{}, fmt.Errorf("%w: not the current window, or not its %d counters", ErrReply, len(counters))
	}
	for i, counter := range counters {
		count, ok := rest[i].(int64)
		if !ok || count < c.n {
			return answer{}, fmt.Errorf("%w: no count, or one below the %d permits in it", ErrReply, c.n)
		}
		*counter = count
	}
	return a, nil
}

func (c *call) changed(a answer, rest []any) (answer, error) {
	if c.guard == nil {
		return answer{}, fmt.Errorf("%w: change of a guard where there is none", ErrReply)
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
		return answer{}, fmt.Errorf("%w: guard changed to no value or to the same", ErrReply)
	}
	a.current, a.exists = current, true
	return a, nil
}

// covers reports whether Redis's time lies in the window that the call named.
func (c *call) covers(now int64) bool {
	return ratelimit.WindowStart(time.UnixMicro(now), c.limit.Window).Equal(c.start)
}

// decision turns an answer whose status is taken into what the caller gets that
// asked for n of the call's permits, after those ahead of it: the same as if all
// had come one by one.
func (c *call) decision(a answer, ahead, n int64) ratelimit.Decision {
	return ratelimit.DecideFixedWindow(c.limit, a.count-c.n+ahead+n, n, time.UnixMicro(a.now))
}

// usage turns the answer to a look into what the caller gets.
func (c *call) usage(a answer) ratelimit.Usage {
	d := c.decision(a, 0, 0)
	return ratelimit.Usage{Limit: c.limit, Used: a.count, Remaining: d.Remaining, Refused: a.refused, Reset: d.Reset}
}
