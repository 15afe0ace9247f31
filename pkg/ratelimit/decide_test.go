package ratelimit

import (
	"time"
)

// everyAlgorithm is a limit in each algorithm's form.
func everyAlgorithm(permits int64, window time.Duration) []Limit {
	return []Limit{
		{Algorithm: FixedWindow, Permits: permits, Window: window},
		{Algorithm: SlidingWindow, Permits: permits, Window: window},
		{Algorithm: TokenBucket, Permits: permits, Window: window},
		{Algorithm: LeakyBucket, Permits: permits, Window: window, MaxDelay: min(window, maxDelay)},
	}
}
