// Package boundedmap provides a concurrent map from strings that never grows
// beyond a fixed number of entries.
//
// It is for what a program remembers to save work and can afford to forget: a full
// map makes room for a new key by evicting another. There are no goroutines, no
// timers and no expiry.
//
// The package needs nothing but the standard library.
package boundedmap

import (
	"hash/maphash"
	"strings"
	"sync"
)

const (
	// shards spreads the locks; a power of two.
	shards = 16
	// sample is how many entries an eviction by cost looks at.
	sample = 8
)

// A Map holds values for a bounded number of keys. It is safe for concurrent use
// and must be made by [New]. Its keys are spread over 16 shards by a seeded hash,
// each with a lock of its own, so strangers cannot choose keys that collide.
//
// Reading, deleting and replacing the value of a key that is held allocates
// nothing. A new key is copied, so that the map does not keep alive a larger
// string that the key is a part of.
type Map[V any] struct {
	seed     maphash.Seed
	perShard int
	shards   [shards]shard[V]
}

type shard[V any] struct {
	mu      sync.RWMutex
	entries map[string]*V
	spare   *V // an evicted entry's, zero, for the next new one
}

// New returns an empty Map of at most size entries, rounded up to a multiple of 16.
// With a size of 0 or less the Map never holds anything. The bound applies to each
// shard, so a Map can evict an entry a little before it is full. Memory is
// allocated as entries come.
func New[V any](size int) *Map[V] {
	m := &Map[V]{seed: maphash.MakeSeed()}
	if size > 0 {
		m.perShard = (size-1)/shards + 1
	}
	for i := range m.shards {
		m.shards[i].entries = make(map[string]*V)
	}
	return m
}

func (m *Map[V]) shard(key string) *shard[V] {
	return &m.shards[maphash.String(m.seed, key)%shards]
}

// Get returns the value of key. For a key that is not held it returns the zero
// value, as indexing a Go map does. Readers do not block one another.
func (m *Map[V]) Get(key string) (value V) {
	if m.perShard == 0 {
		return value
	}
	s := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if v := s.entries[key]; v != nil {
		value = *v
	}
	return value
}

// Put sets the value of key. If key is new and its shard is full, any other entry
// of the shard is evicted.
func (m *Map[V]) Put(key string, value V) {
	m.Update(key, func(v *V) { *v = value }, nil)
}

// Update calls change with a pointer to the value of key, for it to read and write.
// The value of a key that is not held begins as the zero value. No other goroutine
// reads or writes it meanwhile.
//
// If key is new and its shard is full, another entry of the shard is evicted: the
// first of eight random ones for which cost returns 0 or less, or else the one with
// the lowest cost. cost is called after change. If cost is nil, any entry may go.
//
// Both functions run with the shard locked: they must be quick, and must neither use
// the Map nor keep the pointer. Update keeps neither function, so closures passed to
// it need no allocation. In a Map of size 0, what change writes is lost.
func (m *Map[V]) Update(key string, change func(*V), cost func(V) int64) {
	if m.perShard == 0 {
		change(new(V))
		return
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.entries[key]; v != nil {
		change(v)
		return
	}
	v := s.spare
	if v == nil {
		v = new(V)
	}
	s.spare = nil
	change(v)
	if len(s.entries) >= m.perShard {
		s.evict(cost)
	}
	s.entries[strings.Clone(key)] = v
}

// evict relies on Go walking a map from a random place.
func (s *shard[V]) evict(cost func(V) int64) {
	var victim string
	var evicted *V
	lowest, seen := int64(0), 0
	for key, v := range s.entries {
		c := int64(0)
		if cost != nil {
			c = cost(*v)
		}
		if seen == 0 || c < lowest {
			victim, evicted, lowest = key, v, c
		}
		if seen++; lowest <= 0 || seen == sample {
			break
		}
	}
	delete(s.entries, victim)
	var zero V
	*evicted, s.spare = zero, evicted
}

// Delete removes key. If it is not held, that costs no more than a Get.
func (m *Map[V]) Delete(key string) {
	if m.perShard == 0 {
		return
	}
	s := m.shard(key)
	s.mu.RLock()
	_, held := s.entries[key]
	s.mu.RUnlock()
	if held {
		s.mu.Lock()
		delete(s.entries, key)
		s.mu.Unlock()
	}
}

// Len returns how many entries are held. It locks one shard after another: while
// others write, the result is the count of no single moment.
func (m *Map[V]) Len() int {
	held := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		held += len(s.entries)
		s.mu.RUnlock()
	}
	return held
}
