package redislimit

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxSpread bounds the exchanges under way with a Redis that is slow but steady.
	maxSpread = 32
	// spread is how many exchanges such a Redis is sent in the time of one round trip,
	// so that a caller waits for the next one for no more than this part of it.
	spread = 16
	// slowFrom is from which latency on Redis counts as slow: below it, one exchange is
	// sent each overdue all the same.
	slowFrom = maxInFlight * overdue
	// spareConns is how many connections must be idle before a further exchange is sent:
	// one for it, and one because another exchange may be about to take one.
	spareConns = 2
	// openingTrips is how many round trips opening a connection may take, each as long as
	// the time-out: for TCP, for TLS, for the greeting, for a PING.
	openingTrips = 5
	// openingPause is how long none is opened after one could not be.
	openingPause = time.Second
)

// A pace is what a gatherer knows of how Redis answers, and with which room for
// exchanges it meets that. The gatherer's lock guards it.
//
// A Redis may be slow because it is far away. If its replies take nearly the time-out,
// a caller that first waits for another's reply is too late. So while replies are slow
// but come, further exchanges are sent at an interval that is short beside a round
// trip. None of them opens a connection, for which there would be no time either:
// connections are opened beside, for nobody. When replies stay out, there is no more
// room than with a fast Redis.
type pace struct {
	node    *redis.Client // whose connections are used; nil if not known
	most    int           // exchanges under way
	latency time.Duration // of a round trip, smoothed
	steady  bool          // the last exchange was answered
	opening int           // connections
	mayOpen time.Time     // when the next of them may be opened
}

func newPace(node *redis.Client) pace {
	p := pace{node: node, most: maxInFlight}
	if node != nil {
		p.most = max(min(maxSpread, node.Options().PoolSize), maxInFlight)
	}
	return p
}

// heard takes in how an exchange of these calls ended.
func (p *pace) heard(calls []*call, timeout time.Duration) {
	p.steady = answered(calls[0].err)
	if !p.steady {
		return
	}
	took := calls[0].took
	if timeout > 0 {
		took = min(took, timeout)
	}
	if took > p.latency { // up faster than down: at first nothing is known
		p.latency += (took - p.latency) / 2
	} else {
		p.latency -= (p.latency - took) / 4
	}
}

// answered reports whether err is about an answer.
func answered(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return err == nil || said || errors.Is(err, ErrReply) || errors.Is(err, ErrWindow)
}

// slow reports whether exchanges are sent as to a Redis that is slow.
func (p *pace) slow() bool { return p.latency > slowFrom && p.most > maxInFlight }

func (p *pace) places() int {
	if p.slow() && p.steady {
		return p.most
	}
	return maxInFlight
}

// interval is how long after the last exchange was sent those who wait may go out in a
// further one.
func (g *gatherer) interval() time.Duration {
	if !g.slow() {
		return g.overdue
	}
	return max(g.overdue, g.latency/time.Duration(min(spread, g.most*4/5))) // a few places are kept for replies that are late
}

// further sends those who wait in a further exchange, if it is time and there is room.
// It is called with the lock held.
func (g *gatherer) further(now time.Time) {
	if len(g.waiting) == 0 || g.inFlight > 0 && (g.inFlight+g.opening >= g.places() || now.Sub(g.begun) < g.interval()) {
		return
	}
	if g.inFlight > 0 && g.slow() && !g.connected() {
		if !now.Before(g.mayOpen) {
			g.mayOpen = now.Add(g.interval())
			g.opening++
			go g.open()
		}
		return
	}
	g.inFlight++
	go g.flush(g.batch(nil))
}

// crowded reports whether those who wait had better wait for another exchange: sent
// side by side, exchanges return side by side, and leave a gap behind them.
func (g *gatherer) crowded() bool {
	return g.inFlight > 1 && len(g.waiting) <= maxBatch && g.slow() && time.Since(g.begun) < g.interval()/2
}

// connected reports whether a further exchange will find an open connection.
func (g *gatherer) connected() bool {
	stats := g.node.PoolStats()
	return stats.IdleConns >= spareConns || stats.IdleConns > 0 && int(stats.TotalConns) >= g.node.Options().PoolSize
}

// open has the client open one more connection, as those that it has are in use.
func (g *gatherer) open() {
	ctx := context.Background()
	if timeout := g.limiter.options.Timeout; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openingTrips*timeout)
		defer cancel()
	}
	err := g.node.Ping(ctx).Err()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opening--
	now := time.Now()
	if err != nil {
		g.mayOpen = now.Add(openingPause)
	}
	g.further(now)
}

// nudge is further for a caller that still waits, and returns when it should ask again;
// never if all depends on replies.
func (g *gatherer) nudge(w *waiter) time.Duration {
	if w.state.Load() != queued {
		return math.MaxInt64
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.slow() {
		return math.MaxInt64
	}
	now := time.Now()
	g.further(now)
	return g.pause(now)
}

// pause is how long a caller in the queue waits before it asks for a further exchange.
// It is called with the lock held.
func (g *gatherer) pause(now time.Time) time.Duration {
	switch {
	case !g.slow():
		return patience
	case g.inFlight+g.opening >= g.places():
		return g.latency // replies will come before
	}
	return max(g.begun.Add(g.interval()).Sub(now), time.Millisecond)
}
