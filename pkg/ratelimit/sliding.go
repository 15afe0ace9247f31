package ratelimit

import (
	"fmt"
	"time"
)

// validateSliding keeps the product in weighted below 2⁵³.
func (l Limit) validateSliding() error {
	if most := (maxExact - 1) / l.Window.Milliseconds(); l.Permits > most {
		return fmt.Errorf("%w: %d permits in %v, want at most %d with %s", ErrLimit, l.Permits, l.Window, most, SlidingWindow)
	}
	return nil
}

func (l Limit) decideSliding(s State, n, now int64) (State, Decision) {
	s = l.slide(s, now)
	left := max(l.Permits-s.Current-l.weighted(s, now), 0)
	d := Decision{Limit: l, Granted: min(n, left)}
	s.Current += d.Granted
	d.Remaining = left - d.Granted

	d.Reset = micros(l.end(s) - now)
	if s.Current > 0 {
		d.Reset += l.Window
	}
	d.More = micros(l.opens(s, d.Remaining) - now)
	if d.Granted < n {
		d.RetryAfter = d.More
	}
	return s, d
}

// moreSliding is More of a decision that granted something, from what else it says:
// how many were granted before, which it does not say, matters only once the
// previous window counts for nothing.
func (l Limit) moreSliding(d Decision) time.Duration {
	untilEnd := d.Reset - l.Window
	if d.More <= untilEnd {
		return d.More
	}
	return untilEnd + micros(l.opens(State{Current: l.Permits - d.Remaining}, d.Remaining)) - l.Window
}

// slide brings the state to the window that now lies in.
func (l Limit) slide(s State, now int64) State {
	seconds := int64(l.Window / time.Second)
	start := WindowStart(time.UnixMicro(now), l.Window).Unix()
	switch s.Window {
	case start:
		return State{Window: start, Current: s.Current, Previous: s.Previous}
	case start - seconds:
		return State{Window: start, Previous: s.Current}
	case start + seconds:
		// The clock was set back over the boundary. The later window stays open: it
		// has the permits in it that were granted in this one.
		return State{Window: s.Window, Current: s.Current, Previous: s.Previous}
	}
	return State{Window: start}
}

// weighted is what the previous window still counts for: its permits, by the share
// of the window that is not over, rounded up in milliseconds and in permits. The
// previous window counts for Permits at most, so the product is below 2⁵³.
func (l Limit) weighted(s State, now int64) int64 {
	window := max(l.Window.Milliseconds(), 1)
	left := min(ceilDiv(l.end(s)-now, 1000), window)
	return ceilDiv(min(s.Previous, l.Permits)*left, window)
}

// end is where the state's window ends, in Unix microseconds.
func (l Limit) end(s State) int64 { return s.Window*1_000_000 + l.Window.Microseconds() }

// opens is when more permits will be there than remaining, which is what is left
// now: in this window once the previous one counts for less, or else in the next
// window once this one does. With nothing to come it is the end of this window.
func (l Limit) opens(s State, remaining int64) int64 {
	end, window := l.end(s), l.Window.Milliseconds()
	room, counted := l.Permits-s.Current-remaining-1, min(s.Previous, l.Permits)
	switch {
	case l.Permits <= 0, remaining >= l.Permits:
		return end
	case room < 0:
		counted = min(s.Current, l.Permits)
		room = l.Permits - remaining - 1
		end += l.Window.Microseconds()
	}
	return end - room*window/counted*1000
}
