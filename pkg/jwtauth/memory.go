package jwtauth

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// Remember returns a verifier with the same keys that caches up to size verified tokens; 0
// turns the cache off. It returns the same results as v, because it checks times at each
// call. A token that was accepted before, byte for byte, costs a hash and a comparison
// instead of a signature check, and no allocation. The cache stores whole tokens, of at
// most 16 KiB each.
//
// Verifiers never share a cache, so it goes when the keys go.
func (v *Verifier) Remember(size int) *Verifier {
	with := *v
	with.memory = nil
	if size > 0 {
		with.memory = &memory{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[genuine], size)}
	}
	return &with
}

// genuine is a token with a valid signature, and what its verification returned.
type genuine struct {
	token  string
	hash   uint64
	key    *Key
	claims trustedClaims
}

// ways is how many slots a token may use: enough that tokens rarely evict each other while
// there is room, and few enough to check all.
const ways = 4

// memory is a table of tokens without locks or chains. The seed prevents strangers from
// choosing colliding tokens; the text tells those that collide apart.
type memory struct {
	seed  maphash.Seed
	slots []atomic.Pointer[genuine]
}

// find returns the cached token, or nil.
func (m *memory) find(token string) *genuine {
	if m == nil {
		return nil
	}
	hash := maphash.String(m.seed, token)
	for i := range uint64(ways) {
		if g := m.slot(hash, i).Load(); g != nil && g.hash == hash && g.token == token {
			return g
		}
	}
	return nil
}

// add stores g in a slot that is free or contains an expired token, else in the one that
// the hash selects: an evicted token is only verified again.
func (m *memory) add(g genuine, now int64) {
	g.hash = maphash.String(m.seed, g.token)
	g.token = strings.Clone(g.token) // it may be part of a larger string
	way := g.hash >> 62              // one of the four
	for i := range uint64(ways) {
		if old := m.slot(g.hash, i).Load(); old == nil || old.claims.expires <= now {
			way = i
			break
		}
	}
	m.slot(g.hash, way).Store(&g)
}

func (m *memory) slot(hash, way uint64) *atomic.Pointer[genuine] {
	return &m.slots[(hash%uint64(len(m.slots))+way)%uint64(len(m.slots))]
}
