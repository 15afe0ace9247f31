package ledger

import (
	"hash/maphash"
	"sync"
)

// shards spreads a table's locks; a power of two.
const shards = 16

// A table holds a value for each of a bounded number of keys. When it is full any
// entry makes room for a new one: what is lost costs a round trip and no more.
type table[V any] struct {
	seed     maphash.Seed
	shard    [shards]tableShard[V]
	perShard int
}

type tableShard[V any] struct {
	sync.RWMutex
	values map[string]V
}

// newTable makes a table of size values, rounded up to a multiple of shards; with
// 0 it holds none.
func newTable[V any](size int) *table[V] {
	t := &table[V]{seed: maphash.MakeSeed(), perShard: (size + shards - 1) / shards}
	for i := range t.shard {
		t.shard[i].values = make(map[string]V)
	}
	return t
}

func (t *table[V]) of(key string) *tableShard[V] {
	return &t.shard[maphash.String(t.seed, key)%shards]
}

// get returns the zero value for a key that is not held.
func (t *table[V]) get(key string) V {
	s := t.of(key)
	s.RLock()
	defer s.RUnlock()
	return s.values[key]
}

func (t *table[V]) put(key string, value V) {
	if t.perShard == 0 {
		return
	}
	s := t.of(key)
	s.Lock()
	defer s.Unlock()
	if _, held := s.values[key]; !held && len(s.values) >= t.perShard {
		for victim := range s.values {
			delete(s.values, victim)
			break
		}
	}
	s.values[key] = value
}

func (t *table[V]) drop(key string) {
	s := t.of(key)
	s.Lock()
	defer s.Unlock()
	delete(s.values, key)
}

func (t *table[V]) len() int {
	held := 0
	for i := range t.shard {
		s := &t.shard[i]
		s.RLock()
		held += len(s.values)
		s.RUnlock()
	}
	return held
}
