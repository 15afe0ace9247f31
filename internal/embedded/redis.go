// Package embedded holds what `serve --dev` brings along in its own process: a
// Redis and a backend that echoes. Nothing else may use it.
package embedded

import (
	"context"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// clockStep is how finely keys expire.
const clockStep = 50 * time.Millisecond

// Redis is an in-process Redis on a free loopback port. It keeps nothing.
type Redis struct{ server *miniredis.Miniredis }

// StartRedis starts one. It runs until Close.
func StartRedis() (*Redis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	r := &Redis{server: m}
	go r.run(m.Ctx)
	return r, nil
}

// Addr is host:port.
func (r *Redis) Addr() string { return r.server.Addr() }

// Close ends it; what it held is gone.
func (r *Redis) Close() { r.server.Close() }

// run makes TTLs pass: miniredis holds them still unless it is told of the time.
func (r *Redis) run(ctx context.Context) {
	tick := time.NewTicker(clockStep)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}
