package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
)

// Two api_keys with one hash, found by trying 40 million.
const (
	twin, otherTwin = "collides-01d39aaa", "collides-00cd538b"
	twinHash        = "14c976c78477"
)

func TestHashed(t *testing.T) {
	for name, start := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, options := start(t)
			r := open(t, server, options)
			pipe := r.store.At().Client.Pipeline()
			for i := range 3 * scanStep {
				pipe.Set(t.Context(), r.RecordName(apiKey(i)), testRecord, 0)
			}
			for _, key := range []string{twin, otherTwin} {
				pipe.Set(t.Context(), r.RecordName(key), testRecord, 0)
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen := 0
			found, err := r.Hashed(t.Context(), []string{storage.KeyHash(apiKey(7)), storage.KeyHash(apiKey(2999)), twinHash, "0123456789ab"}, func(n int) { seen = n })
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(found[twinHash])
			want := fmt.Sprint(map[string][]string{
				storage.KeyHash(apiKey(7)): {apiKey(7)}, storage.KeyHash(apiKey(2999)): {apiKey(2999)}, twinHash: {otherTwin, twin}, "0123456789ab": nil,
			})
			if fmt.Sprint(found) != want || seen < 3*scanStep+2 {
				t.Errorf("found %v after %d keys, want %s", found, seen, want)
			}
		})
	}
}

func TestHashedEnds(t *testing.T) {
	server := redistest.Start(t)
	r := open(t, server)
	for i := range 3 * scanStep {
		if err := r.store.At().Client.Set(t.Context(), r.RecordName(apiKey(i)), testRecord, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Hashed(ctx, []string{twinHash}, func(int) { cancel() })
	if !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v, want that the caller left", err)
	}
	server.Stop()
	if _, err := r.Hashed(t.Context(), []string{twinHash}, nil); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v, want that Redis is unavailable", err)
	}
}

func TestRevokeAll(t *testing.T) {
	for name, start := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, options := start(t)
			trips := 0
			r := open(t, server, options, func(o *storage.Options) {
				o.Observe = func(op string, _ time.Duration, _ string) {
					if op == "revoke" {
						trips++
					}
				}
			})
			const n = 2*revokeStep + 3
			pipe := r.store.At().Client.Pipeline()
			var keys []string
			for i := range n {
				keys = append(keys, apiKey(i))
				if i%3 > 0 {
					pipe.Set(t.Context(), r.RecordName(apiKey(i)), testRecord, 0)
				}
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, act := range []func(context.Context, []string, func(string, bool) error) error{r.Held, r.RevokeAll} {
				i := 0
				err := act(t.Context(), keys, func(key string, was bool) error {
					if key != apiKey(i) || was != (i%3 > 0) {
						t.Fatalf("key %d: %s, %t", i, key, was)
					}
					i++
					return nil
				})
				if err != nil || i != n {
					t.Errorf("%d keys, %v", i, err)
				}
			}
			if trips != 3 {
				t.Errorf("%d round trips, want 3", trips)
			}
			if left, err := r.Keys(t.Context(), "", 1); err != nil || len(left) != 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// What was revoked before Redis went away is told; each's own error ends it.
func TestRevokeAllStops(t *testing.T) {
	server := redistest.Start(t)
	r := open(t, server)
	keys := make([]string, 3*revokeStep)
	for i := range keys {
		keys[i] = apiKey(i)
	}
	enough := errors.New("enough")
	if err := r.RevokeAll(t.Context(), keys, func(string, bool) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v, want %v", err, enough)
	}
	told := 0
	err := r.RevokeAll(t.Context(), keys, func(string, bool) error {
		if told++; told == revokeStep {
			server.Stop()
		}
		return nil
	})
	if !errors.Is(err, storage.ErrUnavailable) || told != revokeStep {
		t.Errorf("%v after %d keys", err, told)
	}
}

func TestOrders(t *testing.T) {
	r := open(t, redistest.Start(t))
	set := func(name, record string, used, refused int) {
		for key, value := range map[string]any{r.RecordName(name): record, "rate_count:" + name + ":0": used, "rate_refused:" + name + ":0": refused} {
			if err := r.store.At().Client.Set(t.Context(), key, value, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	of := func(limit int, label string) string {
		return fmt.Sprintf(`{"rate_limit":%d,"window":"876000h","label":%q}`, limit, label)
	}
	set("busy-------------", of(1_000_000, "many"), 500_000, 0)
	set("refused----------", of(10, "few"), 10, 900)
	set("spent------------", of(10, ""), 10, 1)
	for name, tt := range map[string]struct {
		by   Order
		want string
	}{
		"near":    {NearLimit, "refused few, spent , busy many"},
		"refused": {MostRefused, "refused few, spent , busy many"},
		"rate":    {FastestRate, "busy many, refused few, spent "},
	} {
		top, err := r.Top(t.Context(), 5, tt.by)
		var got []string
		for _, s := range top {
			got = append(got, strings.TrimRight(s.APIKey, "-")+" "+s.Label)
		}
		if err != nil || strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %q, %v; want %s", name, got, err, tt.want)
		}
	}
}
