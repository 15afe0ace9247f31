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
	// maxAgain bounds the second tries of what passes by itself within moments.
	maxAgain = 5
	// firstPause doubles with each try.
	firstPause = 5 * time.Millisecond
)

// worth waits until it is worth asking again after err, and reports whether it is
// while there is time.
func (a again) worth(ctx context.Context, deadline time.Time, err error) bool {
	if !notRun(err) || a > 0 && (a >= maxAgain || !redis.HasErrorPrefix(err, tryAgain)) {
		return false
	}
	if !deadline.IsZero() && time.Until(deadline) <= firstPause<<a {
		return false
	}
	pause := time.NewTimer(firstPause << a)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}
