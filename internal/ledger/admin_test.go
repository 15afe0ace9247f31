package ledger

import (
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// What is foretold from a usage is what taking would decide.
func TestNextForetellsADecision(t *testing.T) {
	now := time.Unix(1_700_000_058, 0)
	for _, limit := range []ratelimit.Limit{
		{Permits: 3, Window: time.Minute},
		{Algorithm: ratelimit.TokenBucket, Permits: 3, Window: time.Minute, Burst: 2},
		{Algorithm: ratelimit.LeakyBucket, Permits: 3, Window: time.Minute, MaxDelay: time.Minute},
	} {
		var state ratelimit.State
		for taken := range 6 {
			got := next(limit.Usage(state, now))
			after, want := limit.Decide(state, 1, now)
			if got != want {
				t.Errorf("%s: after %d: %+v, want %+v", limit.Algorithm, taken, got, want)
			}
			state = after
		}
	}
}
