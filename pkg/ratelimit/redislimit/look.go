package redislimit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// A sight is what a look found of a key: its state and what was refused, at Redis's
// time. It is read by plain commands, for which the right to read is enough.
type sight struct {
	Subject
	start time.Time // of the window that Redis is believed to be in, if windowed

	state   ratelimit.State
	refused int64
	now     time.Time
	err     error

	values         *redis.SliceCmd  // of a sliding window's state
	value          *redis.StringCmd // of any other
	away           *redis.StringCmd
	name, refusals string // of the two keys
}

func (s *sight) usage() ratelimit.Usage {
	if s.err != nil {
		return ratelimit.Usage{}
	}
	u := s.Limit.Usage(s.state, s.now)
	u.Refused = s.refused
	return u
}

func (l *Limiter) lookAt(ctx context.Context, key string, limit ratelimit.Limit) sight {
	return l.look(ctx, []Subject{{key, limit}})[0]
}

// look looks at many keys, with one pipeline for all that lie on the same server.
func (l *Limiter) look(ctx context.Context, subjects []Subject) []sight {
	sights := make([]sight, len(subjects))
	nodes := make(map[*gatherer][]*sight, 1)
	for i, subject := range subjects {
		s := &sights[i]
		s.Subject = subject
		if s.err = subject.Limit.Validate(); s.err == nil {
			at := l.gathererOf(ctx, subject.Key)
			nodes[at] = append(nodes[at], s)
		}
	}
	for at, theirs := range nodes {
		l.lookTogether(ctx, at.clock, theirs)
	}
	return sights
}

// lookTogether looks until each window named is the one that Redis is in.
func (l *Limiter) lookTogether(ctx context.Context, at *clock, sights []*sight) {
	for range tries {
		sent := at.now().Sub(at.origin).Microseconds()
		guess := time.UnixMicro(at.offset.Load() + sent)
		begun := time.Now()
		now, err := l.read(ctx, sights, guess)
		if l.options.Observe != nil {
			l.options.Observe(Exchange{Callers: 1, Commands: 2*len(sights) + 1, Took: time.Since(begun), Err: err})
		}
		if now.IsZero() {
			now = guess
		} else {
			at.offset.Store(now.UnixMicro() - sent)
		}
		var again []*sight
		for _, s := range sights {
			s.now = now
			if windowed(s.Limit.Algorithm) && !ratelimit.WindowStart(now, s.Limit.Window).Equal(s.start) {
				s.err = fmt.Errorf("%w: %d times", ErrWindow, tries)
				again = append(again, s)
				continue
			}
			s.take()
		}
		if sights = again; len(sights) == 0 {
			return
		}
	}
}

// read sends what there is to read, and returns Redis's time, or the zero time if
// its user may not ask for that. The error is the first that is no key's own.
func (l *Limiter) read(ctx context.Context, sights []*sight, guess time.Time) (now time.Time, err error) {
	pipe := l.client.Pipeline()
	var clock *redis.TimeCmd
	if l.cluster == nil {
		clock = pipe.Time(ctx)
	} else if node, err := l.cluster.MasterForKey(ctx, "{"+sights[0].Key+"}"); err == nil { // a pipeline would ask any node
		clock = node.Time(ctx)
	}
	for _, s := range sights {
		s.ask(ctx, pipe, &l.options, guess)
	}
	if _, err = Exec(ctx, pipe); err != nil {
		if _, answered := errors.AsType[redis.Error](err); answered {
			err = nil // each has its own
		}
	}
	if clock != nil && clock.Err() == nil {
		now = clock.Val()
	}
	return now, err
}

func (s *sight) ask(ctx context.Context, pipe redis.Pipeliner, o *Options, guess time.Time) {
	s.err, s.value, s.values = nil, nil, nil
	s.start = ratelimit.WindowStart(guess, s.Limit.Window)
	s.name, s.refusals = o.StateKey(s.Key, s.Limit.Algorithm), o.RefusedKey(s.Key, time.Time{})
	switch {
	case windowed(s.Limit.Algorithm):
		s.name, s.refusals = o.CounterKey(s.Key, s.start), o.RefusedKey(s.Key, s.start)
		s.value = pipe.Get(ctx, s.name)
	case s.Limit.Algorithm == ratelimit.SlidingWindow:
		s.values = pipe.HMGet(ctx, s.name, "window", "current", "previous")
	default:
		s.value = pipe.Get(ctx, s.name)
	}
	s.away = pipe.Get(ctx, s.refusals)
}

// take takes in the replies.
func (s *sight) take() {
	number := func(cmd *redis.StringCmd, name string) (n int64) {
		text, err := cmd.Result()
		if err == nil {
			n, err = whole(text)
		}
		s.fault(name, err)
		return n
	}
	s.refused = number(s.away, s.refusals)
	switch {
	case s.values != nil:
		s.sliding()
	case windowed(s.Limit.Algorithm):
		s.state = ratelimit.State{Window: s.start.Unix(), Current: number(s.value, s.name)}
	default:
		s.state = ratelimit.State{Full: number(s.value, s.name)}
	}
}

func (s *sight) sliding() {
	fields, err := s.values.Result()
	s.fault(s.name, err)
	var numbers [3]int64
	known := false
	for _, field := range fields {
		known = known || field != nil
	}
	for i, field := range fields[:min(len(fields), len(numbers))] {
		if known {
			text, _ := field.(string)
			numbers[i], err = whole(text)
			s.fault(s.name, err)
		}
	}
	s.state = ratelimit.State{Window: numbers[0], Current: numbers[1], Previous: numbers[2]}
}

// fault keeps the first error. nil and redis.Nil are none.
func (s *sight) fault(name string, err error) {
	switch {
	case s.err != nil || err == nil || errors.Is(err, redis.Nil):
	case errors.Is(err, errNotWhole) || redis.HasErrorPrefix(err, "WRONGTYPE"):
		s.err = fmt.Errorf("%w: %s: %w", ErrState, name, err)
	default:
		s.err = fmt.Errorf("redislimit: %w", err)
	}
}

var errNotWhole = errors.New("not a whole number from 0 to 2^53")

// whole reads a number as the scripts accept it.
func whole(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return 0, errNotWhole
	}
	return int64(n), nil
}
