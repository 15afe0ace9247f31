package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

const testKey = "an-api-key-of-the-tests"

// openTest is a registry on a Redis of the test's own, and a client to look behind it.
func openTest(t *testing.T, prefix string) (*Registry, *redis.Client) {
	t.Helper()
	server := redistest.Start(t)
	store := storage.Open(storage.Options{Addrs: []string{server.Addr}, Timeout: 5 * time.Second, Prefix: prefix, DefaultLimit: ratelimit.Limit{Window: time.Minute}})
	t.Cleanup(func() { _ = store.Close() })
	return New(store), server.Client(t)
}

func put(t *testing.T, client *redis.Client, name, raw string, ttl time.Duration) {
	t.Helper()
	if err := client.Set(t.Context(), name, raw, ttl).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestUpdateKeepsWhatOthersWrote(t *testing.T) {
	r, client := openTest(t, "token:")
	const before = "{ \"owner\": {\"n\":1.0},\n  \"rate_limit\" : 10.0, \"exp\":1.9e9,\t\"tags\":[null] }"
	put(t, client, "token:"+testKey, before, time.Hour)
	e, err := r.Update(t.Context(), testKey, Change{RateLimit: new(int64(20)), Label: new("x")})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(strings.Replace(before, "10.0", "20", 1), "[null]", `[null],"label":"x"`, 1)
	if got := client.Get(t.Context(), "token:"+testKey).Val(); got != want || e.Raw != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if ttl := client.PTTL(t.Context(), "token:"+testKey).Val(); ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("it now vanishes in %v", ttl)
	}
	if e.Record.Limit.Permits != 20 || e.Record.Label != "x" {
		t.Errorf("%+v", e.Record)
	}
}

func TestUpdateOfTheTime(t *testing.T) {
	r, client := openTest(t, "token:")
	put(t, client, "token:"+testKey, `{"rate_limit":1,"exp":5}`, 0)
	if _, err := r.Update(t.Context(), testKey, Change{RateLimit: new(int64(2))}); err != nil {
		t.Fatal(err)
	}
	if ttl := client.PTTL(t.Context(), "token:"+testKey).Val(); ttl != -1 {
		t.Errorf("a record that never vanishes does so in %v", ttl)
	}
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	e, err := r.Update(t.Context(), testKey, Change{ExpiresAt: &end, Expires: new(end.Unix()), TTL: time.Hour})
	if err != nil || !e.Record.Expires.Equal(end) || e.TTL != time.Hour {
		t.Errorf("%+v, %v", e, err)
	}
	if ttl := client.PTTL(t.Context(), "token:"+testKey).Val(); ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("it vanishes in %v", ttl)
	}
}

func TestUpdateMakesNothingAndBreaksNothing(t *testing.T) {
	r, client := openTest(t, "token:")
	if _, err := r.Update(t.Context(), testKey, Change{Label: new("x")}); !errors.Is(err, storage.ErrUnknown) {
		t.Errorf("no record: %v", err)
	}
	if n := client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were made", n)
	}
	for _, raw := range []string{`{"rate_limit":1`, `[]`, ``, `{"rate_limit":1,"window":"soon"}`} {
		put(t, client, "token:"+testKey, raw, 0)
		if _, err := r.Update(t.Context(), testKey, Change{RateLimit: new(int64(2))}); !errors.Is(err, storage.ErrRecord) {
			t.Errorf("%s: %v", raw, err)
		}
		if got := client.Get(t.Context(), "token:"+testKey).Val(); got != raw {
			t.Errorf("%s became %s", raw, got)
		}
	}
	put(t, client, "token:"+testKey, `{"rate_limit":"many"}`, 0) // what the change itself mends
	if _, err := r.Update(t.Context(), testKey, Change{RateLimit: new(int64(2))}); err != nil {
		t.Error(err)
	}
	client.Del(t.Context(), "token:"+testKey)
	client.LPush(t.Context(), "token:"+testKey, "x")
	if _, err := r.Update(t.Context(), testKey, Change{Label: new("x")}); !errors.Is(err, storage.ErrRecord) {
		t.Errorf("a list: %v", err)
	}
}

// Whoever changes a record at the same time, no change undoes another.
func TestUpdatesSideBySide(t *testing.T) {
	r, client := openTest(t, "token:")
	put(t, client, "token:"+testKey, `{"rate_limit":0,"label":"0","window":"1s"}`, 0)
	var wg sync.WaitGroup
	for _, member := range []struct {
		change func(n int) Change
		is     func(rec *storage.Record) int
	}{
		{func(n int) Change { return Change{RateLimit: new(int64(n))} }, func(rec *storage.Record) int { return int(rec.Limit.Permits) }},
		{func(n int) Change { return Change{Label: new(strconv.Itoa(n))} }, func(rec *storage.Record) int { n, _ := strconv.Atoi(rec.Label); return n }},
		{func(n int) Change { return Change{Window: new(strconv.Itoa(n+1) + "s")} }, func(rec *storage.Record) int { return int(rec.Limit.Window/time.Second) - 1 }},
	} {
		wg.Go(func() {
			for n := 1; n <= 100; {
				e, err := r.Lookup(t.Context(), testKey)
				if err != nil || member.is(e.Record) != n-1 {
					t.Errorf("change %d was undone: %s, %v", n-1, e.Raw, err)
					return
				}
				_, err = r.Update(t.Context(), testKey, member.change(n))
				if errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrRecord) {
					t.Error(err)
					return
				}
				if err == nil { // else others were quicker, a few times in a row
					n++
				}
			}
		})
	}
	wg.Wait()
}

func TestRevoke(t *testing.T) {
	r, client := openTest(t, "token:")
	put(t, client, "token:"+testKey, `{"rate_limit":1}`, 0)
	for _, want := range []bool{true, false} {
		if got, err := r.Revoke(t.Context(), testKey); err != nil || got != want {
			t.Errorf("%t, %v, want %t", got, err, want)
		}
	}
}

func TestListSeesAllAndNothingElse(t *testing.T) {
	r, client := openTest(t, `t*[a]?:`)
	const n = 2500
	pipe := client.Pipeline()
	for i := range n {
		key := fmt.Sprintf("key-of-the-tests-%04d", i)
		pipe.Set(t.Context(), r.RecordName(key), fmt.Sprintf(`{"rate_limit":%d}`, i), time.Hour)
		pipe.Set(t.Context(), "txa?:"+key, `{"rate_limit":1}`, 0) // what the prefix matches, taken for a pattern
	}
	pipe.Set(t.Context(), r.RecordName("an-unreadable-record"), "x", 0)
	pipe.LPush(t.Context(), r.RecordName("not-even-a-string"), "x")
	pipe.Set(t.Context(), `t*[a]?:*`, "no api_key", 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]Entry{}
	if err := r.List(t.Context(), func(e Entry) error { seen[e.APIKey] = e; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != n+2 {
		t.Errorf("%d keys, want %d", len(seen), n+2)
	}
	if e := seen["key-of-the-tests-0042"]; e.Record == nil || e.Record.Limit.Permits != 42 || e.TTL <= 0 {
		t.Errorf("%+v", e)
	}
	for _, key := range []string{"an-unreadable-record", "not-even-a-string"} {
		if e := seen[key]; e.Record != nil || !errors.Is(e.Problem, storage.ErrRecord) {
			t.Errorf("%s: %+v", key, e)
		}
	}
}

func TestListStops(t *testing.T) {
	r, client := openTest(t, "token:")
	for range 5 {
		put(t, client, r.RecordName(jwtauth.NewAPIKey()), `{"rate_limit":1}`, 0)
	}
	enough, seen := errors.New("enough"), 0
	err := r.List(t.Context(), func(Entry) error { seen++; return enough })
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%v after %d", err, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.List(ctx, func(Entry) error { return nil }); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestEndIsTheSooner(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		expires time.Time
		ttl     time.Duration
		want    time.Time
	}{
		{time.Time{}, -1, time.Time{}},
		{time.Time{}, time.Hour, now.Add(time.Hour)},
		{now.Add(time.Minute), -1, now.Add(time.Minute)},
		{now.Add(time.Minute), time.Hour, now.Add(time.Minute)},
		{now.Add(2 * time.Hour), time.Hour, now.Add(time.Hour)},
	} {
		e := Entry{Record: &storage.Record{Expires: tt.expires}, TTL: tt.ttl}
		if got := e.End(now); !got.Equal(tt.want) {
			t.Errorf("%v, %v: %v, want %v", tt.expires, tt.ttl, got, tt.want)
		}
	}
}
