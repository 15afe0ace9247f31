package ledger

import (
	"slices"
	"strconv"
	"testing"

	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/internal/storage"
)

func TestTableIsBounded(t *testing.T) {
	c := newTable[*storage.Record](160)
	for i := range 10_000 {
		key := strconv.Itoa(i)
		c.put(key, &storage.Record{Label: key})
		if got := c.get(key); got == nil || got.Label != key {
			t.Fatalf("the record last put is not there: %v", got)
		}
	}
	held := 0
	for i := range c.shard {
		held += len(c.shard[i].values)
	}
	if held > 160 || held < 100 {
		t.Errorf("%d records are held, want about 160 and no more", held)
	}
	c.drop("9999")
	if c.get("9999") != nil {
		t.Error("a dropped record is still there")
	}
}

func TestTableReplacesInPlace(t *testing.T) {
	c := newTable[*storage.Record](shards) // one record in each shard
	c.put("a", &storage.Record{Label: "old"})
	c.put("a", &storage.Record{Label: "new"})
	if got := c.get("a"); got == nil || got.Label != "new" {
		t.Errorf("got %v", got)
	}
}

func TestTableOfNothing(t *testing.T) {
	c := newTable[*storage.Record](0)
	c.put("a", &storage.Record{})
	c.put("b", &storage.Record{})
	if c.get("a") != nil || c.get("b") != nil {
		t.Error("a cache of size 0 holds records")
	}
}

func TestOnceEach(t *testing.T) {
	o := newOnceEach(2)
	for _, tt := range []struct {
		key  string
		want bool
	}{
		{"a", true}, {"a", false}, {"b", true}, {"b", false},
		{"c", true}, // full: it starts over
		{"a", true}, {"c", false},
	} {
		if got := o.first(tt.key); got != tt.want {
			t.Errorf("first(%q) = %v, want %v", tt.key, got, tt.want)
		}
	}
}

func TestRecordsShareEqualRoutes(t *testing.T) {
	store := storage.Open(storage.Options{Addrs: []string{"localhost:1"}})
	defer func() { _ = store.Close() }()
	l := New(store, Options{CacheSize: 16})
	for _, patterns := range [][]string{{"/a", "/b"}, {"/a/b"}, {"/a1:/b"}, {"/a", "1:/b"}, {}} {
		before := l.routes.len()
		for range 2 {
			if got := l.shared(route.Compile(patterns)).Patterns(); !slices.Equal(got, patterns) {
				t.Errorf("%q became %q", patterns, got)
			}
		}
		if l.routes.len() != before+1 {
			t.Errorf("%q is not held once", patterns)
		}
	}
}
