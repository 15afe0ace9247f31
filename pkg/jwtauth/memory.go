package jwtauth

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// Remember returns a verifier of the same keys that keeps in mind what it
// established of up to size tokens; with 0 none. It answers as v does, for what
// hangs on the time is judged at each call; but a token that was accepted before,
// byte for byte, costs a hash and a comparison in place of its signature, and no
// allocation. A token is kept whole, with at most 8 KiB.
//
// What it has in mind is never shared with another verifier, so it ends with its keys.
func (v *Verifier) Remember(size int) *Verifier {
	with := *v
	with.memory = nil
	if size > 0 {
		with.memory = &memory{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[genuine], size)}
	}
	return &with
}

// genuine is what a signature that held established, whenever that was.
type genuine struct {
	token  string
	hash   uint64
	key    *Key
	claims trustedClaims
}

// ways is how many slots a token may stand in: enough that few tokens drive out
// others while there is room, and few enough to look at all.
const ways = 4

// memory is a table of tokens without locks or chains. The seed keeps strangers
// from choosing tokens that collide, and what collides is told apart by its text.
type memory struct {
	seed  maphash.Seed
	slots []atomic.Pointer[genuine]
}

// find returns what is known of the token, or nil.
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

// add keeps g in a slot that is free or whose token has expired, else in the one
// that the hash picks: what is driven out is only verified again.
func (m *memory) add(g genuine, now int64) {
	g.hash = maphash.String(m.seed, g.token)
	g.token = strings.Clone(g.token) // which may be a part of something larger
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
