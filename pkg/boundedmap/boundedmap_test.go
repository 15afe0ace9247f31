package boundedmap

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

func TestMapIsBounded(t *testing.T) {
	for _, tt := range []struct{ size, least, most int }{
		{160, 100, 160},
		{161, 100, 176}, // rounded up to a multiple of shards
		{1, 1, shards},
		{0, 0, 0},
		{-1, 0, 0},
		{math.MinInt, 0, 0},
		{math.MaxInt, 10_000, 10_000},
	} {
		m := New[string](tt.size)
		for i := range 10_000 {
			key := strconv.Itoa(i)
			m.Put(key, key)
			if got := m.Get(key); tt.size > 0 && got != key {
				t.Fatalf("size %d: the value last put under %s is %q", tt.size, key, got)
			}
		}
		if n := m.Len(); n < tt.least || n > tt.most {
			t.Errorf("size %d: %d entries are held, want %d to %d", tt.size, n, tt.least, tt.most)
		}
	}
}

func TestReplacingEvictsNothing(t *testing.T) {
	m := New[string](shards) // one entry in each shard
	m.Put("a", "old")
	m.Put("a", "new")
	if m.Get("a") != "new" || m.Len() != 1 {
		t.Errorf("%q of %d entries", m.Get("a"), m.Len())
	}
}

func TestDelete(t *testing.T) {
	m := New[int](100)
	m.Put("a", 1)
	m.Put("b", 2)
	m.Delete("a")
	m.Delete("never there")
	if m.Get("a") != 0 || m.Get("b") != 2 || m.Len() != 1 {
		t.Errorf("a %d, b %d of %d entries", m.Get("a"), m.Get("b"), m.Len())
	}
}

func TestMapOfNothing(t *testing.T) {
	m := New[int](0)
	m.Put("a", 1)
	var saw []int
	for range 2 {
		m.Update("a", func(v *int) { saw = append(saw, *v); *v++ }, nil)
	}
	m.Delete("a")
	if len(saw) != 2 || saw[0] != 0 || saw[1] != 0 || m.Get("a") != 0 || m.Len() != 0 {
		t.Errorf("saw %v, then %d of %d entries", saw, m.Get("a"), m.Len())
	}
}

func TestUpdateSeesThePresentValue(t *testing.T) {
	m := New[int](100)
	for want := range 3 {
		m.Update("a", func(v *int) {
			if *v != want {
				t.Errorf("the present value is %d, want %d", *v, want)
			}
			*v++
		}, func(int) int64 { t.Error("asked what an eviction costs, with room left"); return 0 })
	}
}

// ofOneShard returns n keys that share a shard.
func ofOneShard[V any](m *Map[V], n int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		if key := strconv.Itoa(i); m.shard(key) == m.shard("0") {
			keys = append(keys, key)
		}
	}
	return keys
}

func cost(v int64) int64 { return v }

// A full shard that the sample covers loses its cheapest entry.
func TestTheCheapestEntryGoes(t *testing.T) {
	for _, values := range [][sample]int64{
		{5, 4, 3, 2, 1, 6, 7, 8},
		{5, 4, 3, 2, 0, 6, 7, 8},
		{5, 4, 3, 2, -1, 6, 7, 8},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, 9, math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		for range 20 { // a walk begins at a random place
			m := New[int64](shards * sample)
			keys := ofOneShard(m, sample+1)
			for i, v := range values {
				m.Put(keys[i], v)
			}
			m.Update(keys[sample], func(v *int64) { *v += 100 }, cost)
			for i, v := range values {
				if got := m.Get(keys[i]); (i == 4) != (got == 0) || i != 4 && got != v {
					t.Errorf("of %v number %d became %d", values, i, got)
				}
			}
			if m.Get(keys[sample]) != 100 {
				t.Error("the new entry is not there")
			}
		}
	}
}

// An evicted value's memory serves the next entry, which begins at zero all the same.
func TestEvictedMemoryIsUsedAgain(t *testing.T) {
	m := New[int64](shards * 2)
	keys := ofOneShard(m, 100)
	for _, key := range keys {
		m.Update(key, func(v *int64) {
			if *v != 0 {
				t.Errorf("a new entry begins as %d", *v)
			}
			*v = 7
		}, cost)
	}
	i := 0
	if n := testing.AllocsPerRun(50, func() { m.Put(keys[i], 7); i++ }); n > 1 {
		t.Errorf("a new key in a full map: %v allocations, want that of the key alone", n)
	}
}

// What is free to go is taken without looking at the rest.
func TestEvictionStopsAtAFreeEntry(t *testing.T) {
	const perShard = 100
	m := New[int64](shards * perShard)
	keys := ofOneShard(m, perShard+2)
	for _, key := range keys[:perShard] {
		m.Put(key, 0)
	}
	asked := 0
	count := func(v int64) int64 { asked++; return v }
	m.Update(keys[perShard], func(*int64) {}, count)
	if asked != 1 {
		t.Errorf("asked for the cost of %d free entries, want 1", asked)
	}
	for key := range m.shard("0").entries {
		m.Put(key, 9)
	}
	asked = 0
	m.Update(keys[perShard+1], func(*int64) {}, count)
	if asked != sample {
		t.Errorf("asked for the cost of %d dear entries, want %d", asked, sample)
	}
}

// A key that is a part of a larger string does not keep that alive, whichever
// caller it came from.
func TestKeysAreTheMapsOwn(t *testing.T) {
	m := New[int](100)
	request := strings.Repeat("a", 1000)
	for range 3 {
		m.Put(request[:3], 1)
		m.Update(request[10:13], func(v *int) { *v++ }, nil)
	}
	for key := range m.shard("aaa").entries {
		for i := range request {
			if unsafe.StringData(key) == unsafe.StringData(request[i:]) {
				t.Error("the map holds a part of a caller's string")
			}
		}
	}
}

func TestHitsDoNotAllocate(t *testing.T) {
	type large [11]int64
	m := New[large](100)
	m.Put("a", large{})
	sum := int64(0)
	for name, hit := range map[string]func(){
		"Get":    func() { sum += m.Get("a")[10] },
		"Put":    func() { m.Put("a", large{sum}) },
		"Delete": func() { m.Delete("b") },
		"Update": func() {
			m.Update("a", func(v *large) { sum++; v[10] = sum }, func(v large) int64 { return v[0] - sum })
		},
	} {
		if n := testing.AllocsPerRun(100, hit); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestUpdateIsAtomic(t *testing.T) {
	const callers, rounds, keys = 8, 1000, 10
	m := New[int](1000)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range rounds {
				m.Update(strconv.Itoa(i%keys), func(v *int) { *v++ }, nil)
			}
		})
	}
	wg.Wait()
	for i := range keys {
		if got := m.Get(strconv.Itoa(i)); got != callers*rounds/keys {
			t.Errorf("key %d was counted %d times, want %d", i, got, callers*rounds/keys)
		}
	}
}

func TestManyCallersOfAFullMap(t *testing.T) {
	m := New[int64](32)
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				key := strconv.Itoa((caller + i) % 100)
				switch i % 4 {
				case 0:
					m.Put(key, int64(i))
				case 1:
					m.Update(key, func(v *int64) { *v++ }, cost)
				case 2:
					m.Delete(key)
				case 3:
					m.Get(key)
				}
				if n := m.Len(); n > 32 {
					t.Errorf("%d entries are held", n)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMap(b *testing.B) {
	for name, run := range map[string]func(m *Map[*int], key string, v *int){
		"Get":    func(m *Map[*int], key string, _ *int) { m.Get(key) },
		"Put":    func(m *Map[*int], key string, v *int) { m.Put(key, v) },
		"Absent": func(m *Map[*int], _ string, _ *int) { m.Delete("another") },
	} {
		b.Run(name, func(b *testing.B) {
			m, v := New[*int](1000), new(int)
			m.Put("key", v)
			b.ReportAllocs()
			for b.Loop() {
				run(m, "key", v)
			}
		})
	}
}
