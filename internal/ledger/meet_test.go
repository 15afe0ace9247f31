package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

// calls counts the commands, or scripts if none is named, that a server ran since the
// last time. What scripts call counts as well.
func calls(t *testing.T, client *redis.Client, commands ...string) (n int) {
	t.Helper()
	if commands == nil {
		commands = []string{"eval", "evalsha"}
	}
	for line := range strings.Lines(client.Info(t.Context(), "commandstats").Val()) {
		for _, command := range commands {
			if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
				var count int
				_, _ = fmt.Sscan(strings.Split(rest, ",")[0], &count)
				n += count
			}
		}
	}
	if err := client.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// Callers that meet a key for the first time share what it costs.
func TestFirstRequestsAreGathered(t *testing.T) {
	server := redistest.Start(t)
	l, client := open(t, server, func(o *options) { o.remember(1024) }), server.Client(t)
	put(t, client, "token:"+testKey, `{"rate_limit":1000,"window":"876000h"}`, time.Hour)
	put(t, client, "token:"+apiKey(1), testRecord, time.Hour)
	if _, err := l.Take(t.Context(), apiKey(1), anyone); err != nil { // Redis knows the script now
		t.Fatal(err)
	}
	calls(t, client)
	server.Pause()
	var begun, callers sync.WaitGroup
	for range 500 {
		begun.Add(1)
		callers.Go(func() {
			begun.Done()
			if p, err := l.Take(t.Context(), testKey, anyone); err != nil || !p.Decision.Allowed() {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	begun.Wait()
	server.Resume()
	callers.Wait()
	if n := calls(t, client, "get", "eval", "evalsha"); n > 100 { // it is some 7 scripts with a GET each, unless the machine is slow to start them all
		t.Errorf("500 callers cost %d commands", n)
	}
	if u, err := registry.New(l.store).Usage(t.Context(), testKey, mustDecode(t, l, `{"rate_limit":1000,"window":"876000h"}`).Limit); err != nil || u.Used != 500 {
		t.Errorf("%+v, %v; want 500 used", u, err)
	}
}

// A flood on a key without a record is answered from memory, for a second at most.
// A key that is asked for now and then counts at once when it gets a record.
func TestAFloodOnAnUnknownKey(t *testing.T) {
	clock := newHandClock()
	server := redistest.Start(t)
	l, client := open(t, server, func(o *options) {
		o.remember(1024)
		o.Now = clock.now
	}), server.Client(t)
	want := func(want error) {
		t.Helper()
		if _, err := l.Take(t.Context(), testKey, anyone); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	record := func() { put(t, client, "token:"+testKey, `{"rate_limit":1000}`, time.Hour) }
	revoke := func() { client.Del(t.Context(), "token:"+testKey) }

	for range absentAfter - 1 {
		want(storage.ErrUnknown)
	}
	record()
	want(nil)
	revoke()
	want(storage.ErrUnknown)

	calls(t, client)
	for range 1000 {
		want(storage.ErrUnknown)
	}
	if n := calls(t, client); n != absentAfter {
		t.Errorf("a flood cost %d scripts, want %d", n, absentAfter)
	}
	clock.advance(absentFor - 1)
	want(storage.ErrUnknown)
	if n := calls(t, client); n != 0 {
		t.Errorf("%d scripts within a second", n)
	}
	clock.advance(1)
	for range 1000 { // which goes on: one look a second
		want(storage.ErrUnknown)
	}
	if n := calls(t, client); n != 1 {
		t.Errorf("%d scripts in the next second, want 1", n)
	}
	record()
	clock.advance(absentFor)
	want(nil)
	revoke()
	clock.advance(3 * absentFor)
	want(storage.ErrUnknown)
	record()
	want(nil)
}

// What stands in a counter's or a record's place is told apart, and is a fault of
// that key alone.
func TestOneBrokenKey(t *testing.T) {
	const record = `{"rate_limit":10,"window":"876000h"}`
	server := redistest.Start(t)
	var log strings.Builder
	l, client := open(t, server, func(o *options) {
		o.remember(1024)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}), server.Client(t)
	put(t, client, "token:"+apiKey(0), record, time.Hour)
	for i, tt := range []struct {
		name   string
		spoil  []any // of the record or the counter
		record bool
		warm   bool // the record is remembered when it happens
		want   error
	}{
		{"a text as the counter", []any{"SET", "rate_count:%s:0", "x"}, false, false, storage.ErrCounter},
		{"a text as the counter, later", []any{"SET", "rate_count:%s:0", "x"}, false, true, storage.ErrCounter},
		{"a list as the counter", []any{"RPUSH", "rate_count:%s:0", "x"}, false, false, storage.ErrCounter},
		{"a negative counter", []any{"SET", "rate_count:%s:0", "-5"}, false, true, storage.ErrCounter},
		{"a list as the record", []any{"RPUSH", "token:%s", "x"}, true, false, storage.ErrRecord},
		{"a list as the record, later", []any{"RPUSH", "token:%s", "x"}, true, true, storage.ErrRecord},
		{"an empty record", []any{"SET", "token:%s", ""}, true, true, storage.ErrRecord},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := apiKey(i + 1)
			put(t, client, "token:"+key, record, time.Hour)
			if tt.warm {
				if _, err := l.Take(t.Context(), key, anyone); err != nil {
					t.Fatal(err)
				}
			}
			spoil := append([]any{}, tt.spoil...)
			spoil[1] = fmt.Sprintf(spoil[1].(string), key)
			client.Del(t.Context(), spoil[1].(string))
			if err := client.Do(t.Context(), spoil...).Err(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if p, err := l.Take(t.Context(), key, anyone); !errors.Is(err, tt.want) || errors.Is(err, storage.ErrUnavailable) || p.Decision.Allowed() {
					t.Errorf("%+v, %v; want %v", p, err, tt.want)
				}
			}
			if n := strings.Count(log.String(), storage.KeyHash(key)); n != 1 || strings.Contains(log.String(), key) {
				t.Errorf("it is said %d times: %s", n, log.String())
			}
			if _, err := l.Take(t.Context(), apiKey(0), anyone); err != nil {
				t.Errorf("its neighbour: %v", err)
			}
			if tt.record {
				return
			}
			if err := registry.New(l.store).Reset(t.Context(), key, mustDecode(t, l, record).Limit); err != nil {
				t.Error(err)
			}
			if _, err := l.Take(t.Context(), key, anyone); err != nil {
				t.Errorf("after a reset: %v", err)
			}
		})
	}
}

// The trouble is said at once, and again each minute while it lasts.
func TestTroubleIsSaidEachMinute(t *testing.T) {
	clock := newHandClock()
	server := redistest.Start(t)
	var log strings.Builder
	up := -1
	l, client := open(t, server, func(o *options) {
		o.Now, o.Logger = clock.now, slog.New(slog.NewTextHandler(&log, nil))
		o.ledger.Watched = func(yes bool) { up = map[bool]int{true: 1, false: 0}[yes] }
	}), server.Client(t)
	put(t, client, "token:"+testKey, testRecord, time.Hour)
	said := func(what string, want int) {
		t.Helper()
		if n := strings.Count(log.String(), what); n != want {
			t.Errorf("%d times, want %d: %s", n, want, log.String())
		}
	}
	l.look(t.Context())
	if err := l.Ready(); err != nil || up != 1 {
		t.Fatalf("%v, up %d", err, up)
	}
	if n := client.DBSize(t.Context()).Val(); n != 1 {
		t.Errorf("a look left %d names behind", n-1)
	}
	client.ConfigSet(t.Context(), "maxmemory", "1")
	for minute := range 3 {
		for range 20 {
			l.look(t.Context())
			if _, err := l.Take(t.Context(), testKey, anyone); !errors.Is(err, storage.ErrRefused) || storage.Kind(err) != "oom" {
				t.Fatalf("%v, want oom", err)
			}
			clock.advance(2 * time.Second)
		}
		said("kind=oom", minute+1)
		clock.advance(20 * time.Second)
	}
	if err := l.Ready(); !errors.Is(err, storage.ErrRefused) || up != 0 {
		t.Errorf("%v, up %d", err, up)
	}
	client.ConfigSet(t.Context(), "maxmemory", "0")
	l.look(t.Context())
	if err := l.Ready(); err != nil || up != 1 {
		t.Errorf("%v, up %d", err, up)
	}
	said("redis answers again", 1)
}

// In a Cluster one master that refuses is said, and does not take the gateway out of
// service.
func TestOneMasterRefuses(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	var log strings.Builder
	up := false
	store := storage.Open(storage.Options{
		Addrs: cluster.Addrs(), Timeout: 10 * time.Second, Prefix: "token:",
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	defer func() { _ = store.Close() }()
	l := New(store, Options{Watched: func(yes bool) { up = yes }})
	l.look(t.Context())
	if err := l.Ready(); err != nil || !up {
		t.Fatalf("%v, up %t", err, up)
	}
	for n, addr := range cluster.Addrs() {
		node := redis.NewClient(&redis.Options{Addr: addr})
		defer func() { _ = node.Close() }()
		if err := node.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
			t.Fatal(err)
		}
		l.look(t.Context())
		err := l.Ready()
		if last := n == len(cluster.Addrs())-1; up || (err != nil) != last {
			t.Errorf("%d masters refuse: %v, up %t", n+1, err, up)
		}
	}
	if !strings.Contains(log.String(), "one of the cluster's masters fails\" why=\"redis is out of memory") {
		t.Error(log.String())
	}
}
