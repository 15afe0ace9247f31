package storage

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// tripAfter is how many exchanges must go unanswered in a row.
	tripAfter = 5
	// probeEvery is how often an open breaker lets one request try.
	probeEvery = 250 * time.Millisecond
)

// A breaker keeps requests from waiting for a Redis server that does not answer. It
// opens after several exchanges in a row without an answer. Then requests are
// turned away at once, but for one at a time that tries; the first answer closes
// it again. An answer that says no is an answer: it costs no waiting.
type breaker struct {
	now     func() time.Time
	changed func(open bool) // called with the lock held, so in order

	open       atomic.Bool
	unanswered atomic.Int32 // in a row

	mu      sync.Mutex
	next    time.Time // when a request may try, while open
	retired bool
}

// allow reports whether a request may ask Redis.
func (b *breaker) allow() bool {
	if !b.open.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if now.Before(b.next) {
		return false
	}
	b.next = now.Add(probeEvery)
	return true
}

// report takes in how an exchange ended.
func (b *breaker) report(answered bool) {
	if answered {
		if b.unanswered.Load() > 0 {
			b.unanswered.Store(0)
		}
		if b.open.Load() {
			b.set(false)
		}
		return
	}
	if b.unanswered.Add(1) >= tripAfter && !b.open.Load() {
		b.set(true)
	}
}

// retire closes the breaker of a server that no request is sent to any more, and
// keeps it closed until retire(false): what is still heard of the server concerns nobody.
func (b *breaker) retire(yes bool) {
	b.mu.Lock()
	was := b.retired
	b.retired = yes
	b.mu.Unlock()
	if yes && !was {
		b.report(true)
	}
}

func (b *breaker) set(open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open.Load() == open || open && b.retired {
		return
	}
	b.next = b.now().Add(probeEvery)
	b.open.Store(open)
	b.changed(open)
}
