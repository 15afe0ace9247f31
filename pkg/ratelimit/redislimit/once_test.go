package redislimit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// A lossyConn swallows the reply to a script, once that was run, and ends.
type lossyConn struct {
	net.Conn
	lose atomic.Bool
}

func (c *lossyConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(takeFixed.sha)) {
		c.lose.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.lose.Load() && err == nil {
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}

// A reply that is lost after the script ran leaves one charge and an error, also
// with a client that retries by default.
func TestLostReplyIsChargedOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	sound := server.Client(t)
	loadScripts(t, sound)
	lossy := redis.NewClient(&redis.Options{
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", server.Addr)
			if err != nil {
				return nil, err
			}
			return &lossyConn{Conn: conn}, nil
		},
	})
	t.Cleanup(func() { _ = lossy.Close() })

	limit := ratelimit.Limit{Permits: 10, Window: century}
	d, err := New(lossy, Options{}).Take(t.Context(), "k", limit, 1)
	if _, network := errors.AsType[*net.OpError](err); !network && !errors.Is(err, io.EOF) || d.Allowed() {
		t.Errorf("Take = %+v, %v; want an error of the network", d, err)
	}
	wantCounter(t, sound, "k", 1)
}

func TestStalledRedisEndsWithTheContext(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	l := New(client, Options{})
	limit := ratelimit.Limit{Permits: 10, Window: century}
	mustTake(t, l, "k", limit, 1)

	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d, err := l.Take(ctx, "k", limit, 1)
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) || d.Allowed() {
		t.Errorf("Take from a stalled Redis = %+v, %v; want a time-out", d, err)
	}
	server.Resume()
	if d := mustTake(t, l, "k", limit, 1); !d.Allowed() {
		t.Errorf("Take after the stall = %+v, want a permit", d)
	}
}

func TestRestartForgetsButFailsNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	l := New(server.Client(t), Options{})
	limit := ratelimit.Limit{Permits: 1, Window: century}
	mustTake(t, l, "k", limit, 1)

	server.Stop()
	if d, err := l.Take(t.Context(), "k", limit, 1); err == nil {
		t.Errorf("Take from a dead Redis = %+v, want an error", d)
	}
	server.Restart()
	if d := mustTake(t, l, "k", limit, 1); !d.Allowed() {
		t.Errorf("first take after a restart with nothing kept = %+v, want a permit", d)
	}
	if d := mustTake(t, l, "k", limit, 1); d.Allowed() {
		t.Errorf("second take after the restart = %+v, want a refusal", d)
	}
}
