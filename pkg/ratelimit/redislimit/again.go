package redislimit

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// notRun reports whether err proves that Redis did not run the script, so that
// asking again cannot charge twice: the server said that it would not, or there
// was no connection to it. Any other error leaves that open.
func notRun(err error) bool {
	for _, prefix := range [...]string{tryAgain, "LOADING ", "READONLY ", "CLUSTERDOWN ", "MASTERDOWN "} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	return errors.Is(err, redis.ErrPoolTimeout)
}

// tryAgain is how a Cluster's node words that the keys of a script lie on two
// nodes, because their slot is on its way from one to the other.
const tryAgain = "TRYAGAIN "

// again is how often a caller has asked.
type again int

const (
	// maxAgain bounds the second tries of a caller who has no deadline.
	maxAgain = 5
	// firstPause doubles with each try, up to maxPause.
	firstPause = 5 * time.Millisecond
	maxPause   = 40 * time.Millisecond
)

// pause is how long to wait before asking again.
func (a again) pause() time.Duration { return min(firstPause<<min(a, maxAgain), maxPause) }

// worth waits until it is worth asking again after err, and reports whether it is
// while there is time. A slot on its way may take all of that; the rest is over
// at once, or not soon.
func (a again) worth(ctx context.Context, deadline time.Time, err error) bool {
	if !notRun(err) || a > 0 && !redis.HasErrorPrefix(err, tryAgain) {
		return false
	}
	if deadline.IsZero() && a >= maxAgain || !deadline.IsZero() && time.Until(deadline) <= a.pause() {
		return false
	}
	pause := time.NewTimer(a.pause())
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}
