package ledger

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

// trips counts the round trips of a client.
type trips struct{ n atomic.Int64 }

func (h *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.n.Add(1)
		return next(ctx, cmd)
	}
}

func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.n.Add(1)
		return next(ctx, cmds)
	}
}

// A record from memory neither grants nor refuses without Redis, at one round
// trip for either while it is unchanged.
func TestARoundTripSettlesARequest(t *testing.T) {
	l := open(t, redistest.Start(t), func(o *options) { o.remember(16) })
	put(t, l.store.At().Client.(*redis.Client), "token:"+testKey, `{"rate_limit":100,"window":"876000h","allowed_routes":["/a"]}`, time.Hour)
	errForbidden := errors.New("forbidden")
	ask := func(path string) error {
		_, err := l.Take(t.Context(), testKey, func(rec *storage.Record) error {
			if !rec.Routes.Allows("GET", path) {
				return errForbidden
			}
			return nil
		})
		return err
	}
	h := &trips{}
	l.store.At().Client.AddHook(h)
	for _, tt := range []struct {
		name   string
		before func()
		path   string
		want   error
		trips  int64
	}{
		{"first sight", nil, "/a", nil, 4}, // with the question whether it is a Cluster, and the script's source
		{"granted", nil, "/a", nil, 1},
		{"refused", nil, "/b", errForbidden, 1},
		{"routes changed, now allowed", func() {
			put(t, l.store.At().Client.(*redis.Client), "token:"+testKey, `{"rate_limit":100,"window":"876000h","allowed_routes":["/b"]}`, time.Hour)
		}, "/b", nil, 2},
		{"and the other refused", nil, "/a", errForbidden, 1},
		{"revoked", func() { l.store.At().Client.Del(t.Context(), "token:"+testKey) }, "/a", storage.ErrUnknown, 1},
		{"never seen, refused", func() {
			put(t, l.store.At().Client.(*redis.Client), "token:"+testKey, `{"rate_limit":100,"window":"876000h","allowed_routes":["/b"]}`, time.Hour)
		}, "/a", errForbidden, 1},
	} {
		if tt.before != nil {
			tt.before()
		}
		from := h.n.Load()
		if err := ask(tt.path); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if got := h.n.Load() - from; got != tt.trips {
			t.Errorf("%s: %d round trips, want %d", tt.name, got, tt.trips)
		}
	}
	if u, err := registry.New(l.store).Usage(t.Context(), testKey, mustDecode(t, l, `{"rate_limit":100,"window":"876000h"}`).Limit); err != nil || u.Used != 3 {
		t.Errorf("used %d, %v; want the 3 that were granted", u.Used, err)
	}
}

func mustDecode(t *testing.T, l *Ledger, raw string) *storage.Record {
	t.Helper()
	rec, err := l.store.Decode(raw, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
