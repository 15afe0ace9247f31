package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func TestExamine(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", "--save", "900 1")
	r := open(t, server)
	f, err := r.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Servers) != 1 {
		t.Fatalf("servers: %+v", f.Servers)
	}
	s := f.Servers[0]
	if s.Addr != server.Addr || !strings.Contains(s.Version, ".") || s.Role != "master" || s.Mode != "standalone" {
		t.Errorf("server: %+v", s)
	}
	if s.MaxMemory != 64<<20 || s.Eviction != "allkeys-lru" {
		t.Errorf("eviction: %+v", s)
	}
	if want := (Persistence{Known: true, Snapshots: "900 1"}); s.Persistence != want {
		t.Errorf("persistence: %+v, want %+v", s.Persistence, want)
	}
	if f.Latency <= 0 || f.Unsure <= 0 || f.Ahead.Abs() > time.Minute {
		t.Errorf("latency %s, %s ahead ± %s", f.Latency, f.Ahead, f.Unsure)
	}
	if f.Denied != nil || f.Refuses != "" {
		t.Errorf("denied %q, refuses %q", f.Denied, f.Refuses)
	}
	if n := r.store.At().Client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("it left %d keys behind", n)
	}
}

func TestExamineCluster(t *testing.T) {
	t.Parallel()
	server, options := startCluster(t)
	f, err := open(t, server, options).Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Servers) != 1 || !strings.HasSuffix(server.Addr, f.Servers[0].Addr) || f.Servers[0].Mode != "cluster" {
		t.Errorf("servers: %+v", f.Servers)
	}
	if f.Denied != nil || f.Refuses != "" || f.Latency <= 0 {
		t.Errorf("%+v", f)
	}
}

func TestExamineSaysWhenRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	r := open(t, server)
	server.Stop()
	if f, err := r.Examine(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%+v, %v; want %v", f, err, storage.ErrUnavailable)
	}
}

func TestExamineSaysWhyRedisRefusesToWrite(t *testing.T) {
	server := redistest.Start(t, "--replicaof", "127.0.0.1 1")
	f, err := open(t, server).Examine(t.Context())
	if err != nil || f.Refuses != "readonly" || f.Servers[0].Role != "slave" {
		t.Errorf("%+v, %v; want readonly", f, err)
	}

	server = redistest.Start(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	if f, err = open(t, server).Examine(t.Context()); err != nil || f.Refuses != "oom" {
		t.Errorf("%+v, %v; want oom", f, err)
	}
}

// TestRights takes each right away and sees that it is missed; and it sees that
// with those that are asked for, everything can be done.
func TestRights(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	r := open(t, server, func(o *storage.Options) { o.Username, o.Password = "gateway", "pass" })
	rules := func(rules ...string) {
		t.Helper()
		args := []any{"ACL", "SETUSER", "gateway", "reset", "on", ">pass"}
		for _, r := range rules {
			args = append(args, r)
		}
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	denied := func() []string {
		t.Helper()
		f, err := r.Examine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f.Denied
	}

	needed := strings.Fields(r.Rights())
	rules(needed...)
	if got := denied(); got != nil {
		t.Fatalf("denied %q, with %s", got, r.Rights())
	}
	if err := life(t, r); err != nil {
		t.Errorf("with %s: %v", r.Rights(), err)
	}
	for i, right := range needed {
		if right == "+ping" {
			continue // without it nothing is told at all
		}
		rules(slices.Delete(slices.Clone(needed), i, i+1)...)
		got := denied()
		missed := strings.ToUpper(strings.TrimPrefix(right, "+"))
		if names, ok := strings.CutPrefix(right, "~"); ok {
			missed = "GET on " + strings.TrimSuffix(names, "*")
		}
		if !slices.ContainsFunc(got, func(what string) bool { return strings.HasPrefix(what, missed) }) {
			t.Errorf("without %s: denied %q", right, got)
		}
	}
}

// life takes a key of each algorithm through everything that is done to one.
func life(t *testing.T, r *Registry) error {
	for _, a := range []ratelimit.Algorithm{"", ratelimit.SlidingWindow, ratelimit.TokenBucket, ratelimit.LeakyBucket} {
		if err := lifeUnder(t, r, a); err != nil {
			return fmt.Errorf("%q: %w", a, err)
		}
	}
	return nil
}

func lifeUnder(t *testing.T, r *Registry, a ratelimit.Algorithm) error {
	key, book := apiKey(1), ledger.New(r.store, ledger.Options{})
	end := time.Now().Add(time.Hour)
	_, err := r.Create(t.Context(), storage.Grant{APIKey: key, RateLimit: 1, Algorithm: string(a), ExpiresAt: end, Expires: end.Unix()}, time.Hour)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	for range 3 {
		if _, err := book.Take(t.Context(), key, func(*storage.Record) error { return nil }); err != nil {
			return fmt.Errorf("take: %w", err)
		}
	}
	e, err := r.Lookup(t.Context(), key)
	if err != nil {
		return fmt.Errorf("lookup: %w", err)
	}
	if _, err := r.Usage(t.Context(), key, e.Record.Limit); err != nil {
		return fmt.Errorf("usage: %w", err)
	}
	if err := r.Reset(t.Context(), key, e.Record.Limit); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if _, err := r.Busiest(t.Context(), 1); err != nil {
		return fmt.Errorf("busiest: %w", err)
	}
	limit := int64(2)
	for _, ttl := range []time.Duration{0, time.Hour} {
		if _, err := r.Update(t.Context(), key, Change{RateLimit: &limit, TTL: ttl}); err != nil {
			return fmt.Errorf("update: %w", err)
		}
	}
	if _, err := r.Revoke(t.Context(), key); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}
