// Package embedded contains what `serve --dev` runs in its own process: a Redis and a
// backend that echoes requests. Nothing else may use it.
package embedded

import (
	"context"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// clockStep is the precision with which keys expire.
const clockStep = 50 * time.Millisecond

// Redis is an in-process Redis on a free loopback port. It persists nothing.
type Redis struct{ server *miniredis.Miniredis }

// StartRedis starts a Redis, which runs until Close.
func StartRedis() (*Redis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	r := &Redis{server: m}
	go r.run(m.Ctx)
	return r, nil
}

// Addr returns host:port.
func (r *Redis) Addr() string { return r.server.Addr() }

// Close stops the server and discards its data.
func (r *Redis) Close() { r.server.Close() }

// run advances the clock of miniredis, which otherwise stands still.
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
