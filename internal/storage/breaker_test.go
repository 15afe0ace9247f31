package storage

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A handClock is moved by the test.
type handClock struct{ at time.Time }

func newHandClock() *handClock               { return &handClock{time.Unix(1_700_000_040, 0)} }
func (c *handClock) now() time.Time          { return c.at }
func (c *handClock) advance(d time.Duration) { c.at = c.at.Add(d) }
func (c *handClock) breaker(told *[]bool) *breaker {
	return &breaker{now: c.now, changed: func(open bool) { *told = append(*told, open) }}
}

func TestBreaker(t *testing.T) {
	var told []bool
	clock := newHandClock()
	b := clock.breaker(&told)
	allowed := func(step string, want bool) {
		t.Helper()
		if got := b.allow(); got != want {
			t.Errorf("%s: a request may ask: %v, want %v", step, got, want)
		}
	}
	for range tripAfter - 1 {
		b.report(false)
	}
	b.report(true) // they were not in a row
	for i := range tripAfter {
		allowed(fmt.Sprint("after ", i, " exchanges without an answer"), true)
		b.report(false)
	}
	allowed("open", false)
	b.report(false) // of a request that was under way
	clock.advance(probeEvery - 1)
	allowed("shortly before the probe", false)
	clock.advance(1)
	allowed("the probe", true)
	allowed("beside the probe", false)
	b.report(false)
	allowed("after a probe in vain", false)
	clock.advance(probeEvery)
	allowed("the next probe", true)
	b.report(true)
	allowed("closed", true)
	allowed("closed", true)
	if want := []bool{true, false}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
