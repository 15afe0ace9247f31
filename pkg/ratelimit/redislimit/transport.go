package redislimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// settle sends calls, in as few round trips as can be, until each has an answer
// or an error. Calls that were not run are sent again at once when it is known
// how to put it right: with the script, or in the window where Redis is.
func (l *Limiter) settle(ctx context.Context, at *clock, calls []*call) {
	// Kept apart from the shared offset, which another exchange may move while
	// this one is under way.
	offset := at.offset.Load()
	for _, c := range calls {
		if c.n > 0 {
			c.elsewhere = l.spent.refused(c.key)
		}
	}
	for range tries {
		// Counted from the sending, the offset holds the way to Redis as well, and
		// so names the window in which the next command will arrive.
		local := at.now()
		sent := local.Sub(at.origin).Microseconds()
		for _, c := range calls {
			c.start = ratelimit.WindowStart(time.UnixMicro(offset+sent), c.limit.Window)
		}
		l.send(ctx, calls)
		var again []*call
		for _, c := range calls {
			if c.err == nil {
				offset = c.reply.now - sent
				at.offset.Store(offset)
			}
			if c.unsettled() {
				again = append(again, c)
			} else if c.err == nil && c.reply.status == taken && c.n > 0 {
				l.spent.note(c.question, c.decision(c.n-1, 1), local)
			}
		}
		if calls = again; len(calls) == 0 {
			return
		}
	}
	for _, c := range calls {
		if c.err == nil {
			c.err = fmt.Errorf("%w: %d times", ErrWindow, tries)
		}
	}
}

// unsettled reports whether the call was not run, and has been changed so that
// sent again it may be.
func (c *call) unsettled() bool {
	if c.err == nil {
		return c.reply.status == otherWindow
	}
	unknown := c.unknownScript()
	c.whole = true
	return unknown
}

// unknownScript reports whether Redis does not know the script yet, which is put
// right by sending it whole.
func (c *call) unknownScript() bool { return !c.whole && redis.HasErrorPrefix(c.err, "NOSCRIPT") }

// send makes one round trip.
func (l *Limiter) send(ctx context.Context, calls []*call) {
	if err := ctx.Err(); err != nil {
		for _, c := range calls {
			c.err = fmt.Errorf("redislimit: %w", err)
		}
		return
	}
	begun := time.Now()
	if len(calls) == 1 {
		cmd := calls[0].command(ctx, &l.options)
		_ = l.client.Process(ctx, cmd) // it keeps its error
		calls[0].read(cmd)
	} else {
		l.pipeline(ctx, calls)
	}
	took := time.Since(begun)
	calls[0].took = took
	if l.options.Observe != nil && !calls[0].trial {
		l.options.Observe(exchangeOf(calls, took))
	}
}

func (l *Limiter) pipeline(ctx context.Context, calls []*call) {
	pipe := l.client.Pipeline()
	cmds := make([]charge, len(calls))
	for i, c := range calls {
		cmds[i] = c.command(ctx, &l.options)
		_ = pipe.Process(ctx, cmds[i]) // only queues
	}
	_, _ = Exec(ctx, pipe) // each command has its own error
	var broken error
	for i, c := range calls {
		c.read(cmds[i])
		switch {
		case broken != nil:
			// Behind a reply that is none, the next ones may be answers to others.
			c.reply, c.err = answer{}, broken
		case errors.Is(c.err, ErrReply) && !errors.Is(c.err, ErrState):
			broken = c.err
		}
	}
}

// Exec is the pipeline's own Exec, but that each command has its error: the client
// leaves them all without one when a Sentinel, or a new connection's greeting, was
// answered with an error.
func Exec(ctx context.Context, pipe redis.Pipeliner) ([]redis.Cmder, error) {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return cmds, nil
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return cmds, err
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return cmds, err
}

// read takes in what became of the command.
func (c *call) read(cmd charge) {
	if err := cmd.Err(); err != nil {
		c.reply, c.err = answer{}, fmt.Errorf("redislimit: %w", c.stateFault(err))
		return
	}
	c.reply, c.err = c.answer(cmd.Val())
}

// An Exchange is one round trip to Redis, as Options.Observe is told of it.
type Exchange struct {
	// Callers is how many shared it.
	Callers int
	// Commands is how many Redis was sent.
	Commands int
	// Took is the time until the last reply.
	Took time.Duration
	// Err is the first of its errors, nil if there were none. That Redis did not know
	// the script is none: the next round trip puts it right.
	Err error
}

func exchangeOf(calls []*call, took time.Duration) Exchange {
	x := Exchange{Commands: len(calls), Took: took}
	for _, c := range calls {
		x.Callers += max(c.callers, 1)
		if x.Err == nil && !c.unknownScript() {
			x.Err = c.err
		}
	}
	return x
}
