package boundedmap_test

import (
	"fmt"
	"time"

	"github.com/tykctl/tykctl/pkg/boundedmap"
)

func Example() {
	sizes := boundedmap.New[int](1000)
	sizes.Put("index.html", 1270)
	fmt.Println(sizes.Get("index.html"), sizes.Get("never put"))
	sizes.Delete("index.html")
	fmt.Println(sizes.Get("index.html"), sizes.Len())
	// Output:
	// 1270 0
	// 0 0
}

// Counts visits for an hour each. Once the map is full, a visitor whose hour is over
// is evicted first.
func ExampleMap_Update() {
	type visits struct {
		n     int
		until time.Time
	}
	seen := boundedmap.New[visits](10_000)
	visit := func(who string, now time.Time) (n int) {
		seen.Update(who, func(v *visits) {
			if !now.Before(v.until) {
				*v = visits{until: now.Add(time.Hour)}
			}
			v.n++
			n = v.n
		}, func(v visits) int64 { return int64(v.until.Sub(now)) })
		return n
	}
	now := time.Unix(1_700_000_000, 0)
	fmt.Println(visit("ann", now), visit("ann", now), visit("bob", now), visit("ann", now.Add(2*time.Hour)))
	// Output: 1 2 1 1
}
