package ledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/redistest"
)

// tripped notes whether requests wait for Redis.
type tripped struct{ open atomic.Bool }

func (*tripped) Shared(int)          {}
func (e *tripped) Tripped(open bool) { e.open.Store(open) }

// A Redis whose replies take four fifths of the time-out, from the start, serves all
// requests in the end: opening a connection takes longer than a request may. When it
// says nothing any more, requests soon stop waiting for it.
func TestARedisFarAway(t *testing.T) {
	t.Parallel()
	const timeout, inARow = time.Second, 300
	server := redistest.Start(t)
	for i := range 10 {
		put(t, server.Client(t), "token:"+apiKey(i), `{"rate_limit":1000000}`, 0)
	}
	wire := redistest.StartWire(t, server.Addr)
	wire.Delay(timeout * 4 / 5)
	events := &tripped{}
	l := open(t, server, func(o *options) {
		o.Addrs, o.Timeout, o.Events, o.Connections = []string{wire.Addr}, timeout, events, 20
		o.remember(100)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	defer callers.Wait()
	defer cancel()
	callers.Go(func() { l.Watch(ctx) })

	var served, failed atomic.Int64 // served since the last failure
	late := time.After(60 * time.Second)
	come := time.NewTicker(5 * time.Millisecond)
	defer come.Stop()
	until := func(what string, so func() bool) {
		for i := 0; !so(); i++ {
			callers.Go(func() {
				if _, err := l.Take(ctx, apiKey(i%10), anyone); err == nil {
					served.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
					served.Store(0)
				}
			})
			select {
			case <-late:
				t.Fatalf("never %s; %d requests failed", what, failed.Load())
			case <-come.C:
			}
		}
	}
	until(fmt.Sprint(inARow, " requests served in a row"), func() bool { return served.Load() >= inARow })
	t.Logf("%d failed before", failed.Load())
	if err := l.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	wire.Hang()
	until("requests that do not wait", events.open.Load)
}
