package ledger

import (
	"hash/maphash"
	"sync"
)

// shards spreads the cache's locks; a power of two.
const shards = 16

// cache holds the last-seen record of a bounded number of keys. It is a guess
// at what Redis holds and is never believed without asking, so which entry
// makes room for a new one does not matter: any will do.
type cache struct {
	seed  maphash.Seed
	shard [shards]struct {
		sync.RWMutex
		records map[string]*Record
	}
	perShard int
}

// newCache makes a cache of size records, rounded up to a multiple of shards;
// with 0 it holds none.
func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed(), perShard: (size + shards - 1) / shards}
	for i := range c.shard {
		c.shard[i].records = make(map[string]*Record)
	}
	return c
}

func (c *cache) get(apiKey string) *Record {
	s := &c.shard[maphash.String(c.seed, apiKey)%shards]
	s.RLock()
	defer s.RUnlock()
	return s.records[apiKey]
}

func (c *cache) put(apiKey string, rec *Record) {
	if c.perShard == 0 {
		return
	}
	s := &c.shard[maphash.String(c.seed, apiKey)%shards]
	s.Lock()
	defer s.Unlock()
	if _, held := s.records[apiKey]; !held && len(s.records) >= c.perShard {
		for victim := range s.records {
			delete(s.records, victim)
			break
		}
	}
	s.records[apiKey] = rec
}

func (c *cache) drop(apiKey string) {
	s := &c.shard[maphash.String(c.seed, apiKey)%shards]
	s.Lock()
	defer s.Unlock()
	delete(s.records, apiKey)
}
