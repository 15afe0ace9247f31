package storage

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// dialer opens a connection.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// A node is a Redis server as requests meet it: its breaker and its connections. It
// is a hook of the client that sends to the server, so it hears how every exchange
// ends, whatever it was for.
type node struct {
	breaker breaker
	conns   conns
	client  redis.UniversalClient
	// met, if set, is told the kind of every error that the server or the way to it made.
	met func(kind string)
}

// DialHook implements [redis.Hook].
func (*node) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (n *node) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		n.report(err)
		return err
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (n *node) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		// The greeting of a new connection is a part of the exchange that needs it.
		if cmds[0].Name() == "hello" {
			return err
		}
		n.report(err)
		if err != nil && n.met != nil {
			for _, cmd := range cmds[1:] { // the first one's error is the pipeline's, as a rule
				if k := Classify(cmd.Err()); k != "" {
					n.met(k)
				}
			}
		}
		return err
	}
}

// report takes in how an exchange ended.
func (n *node) report(err error) {
	k := Classify(err)
	switch k {
	case "":
		n.breaker.report(true)
		return
	case "canceled": // the caller left, and Redis may well have answered in time
		return
	}
	n.breaker.report(k != "timeout" && k != "connection" && k != "tls")
	if n.met != nil {
		n.met(k)
	}
}

// A conns holds the open connections to one server, so that all can be dropped at
// once: after a server has vanished without a word, its pool would hand out each of
// them once, and each would cost a request its time-out.
type conns struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
}

// dialer opens connections with dial, and holds them until they are closed.
func (c *conns) dialer(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open == nil {
			c.open = make(map[net.Conn]struct{})
		}
		c.open[conn] = struct{}{}
		held := heldConn{conn, c}
		if _, ok := conn.(syscall.Conn); ok {
			return heldSocket{held}, nil
		}
		return held, nil
	}
}

// drop closes the connections. Who waits for an answer on one gets an error.
func (c *conns) drop() {
	c.mu.Lock()
	open := slices.Collect(maps.Keys(c.open))
	clear(c.open)
	c.mu.Unlock()
	for _, conn := range open {
		go func() { _ = conn.Close() }() // TLS says good-bye first, which may take seconds
	}
}

// heldConn is a connection that a conns holds.
type heldConn struct {
	net.Conn
	by *conns
}

func (h heldConn) Close() error {
	h.by.mu.Lock()
	delete(h.by.open, h.Conn)
	h.by.mu.Unlock()
	return h.Conn.Close()
}

// heldSocket is a heldConn that the client can look at without reading from it, as it
// does before it uses one again.
type heldSocket struct{ heldConn }

func (h heldSocket) SyscallConn() (syscall.RawConn, error) {
	return h.Conn.(syscall.Conn).SyscallConn()
}
