package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// trialKey begins what permits are taken of to see whether they can be. No client's
// api_key may hold a dot.
const trialKey = ".tykctl-ready"

// trial takes a permit as a request does: the limiter's script writes and compares.
// What fails a request fails here as well, be it memory, rights, a replica or a full
// disk, and a PING would not show it. In a Cluster that is tried at each master. all
// is why no permit can be taken, and part why none can be at some of the masters.
//
// Cost: one round trip, and a counter that is gone within seconds.
func (l *Ledger) trial(ctx context.Context) (all, part error) {
	keys, err := l.trialKeys(ctx)
	if err != nil {
		return err, nil
	}
	errs := make([]error, len(keys))
	var trials sync.WaitGroup
	for i, key := range keys {
		trials.Go(func() { errs[i] = l.try(ctx, key) })
	}
	trials.Wait()
	granted := false
	for _, err := range errs {
		granted = granted || err == nil
		part = cmp.Or(part, err)
	}
	if !granted {
		return part, nil
	}
	return nil, part
}

func (l *Ledger) try(ctx context.Context, key string) error {
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	limit := ratelimit.Limit{Algorithm: l.redis.DefaultLimit.Algorithm, Permits: 1000, Window: time.Second}
	start := l.now()
	at := l.store.At()
	err := at.Limiter.Try(ctx, redislimit.Guard{Key: at.RecordName(key), Value: unread}, key, limit)
	l.store.Observe("ping", start, err)
	if err == nil {
		return nil
	}
	if err = l.fault(key, err); !errors.Is(err, storage.ErrUnavailable) {
		return nil // somebody wrote to the trial's own names: Redis is well
	}
	return err
}

// trialKeys has a key for each master.
func (l *Ledger) trialKeys(ctx context.Context) ([]string, error) {
	ctx, cancel := l.store.Budget(ctx) // the client may have to ask the nodes who they are
	defer cancel()
	if err := l.store.Find(ctx); err != nil {
		return nil, err
	}
	cluster := l.store.At().Cluster
	if cluster == nil {
		return []string{trialKey}, nil
	}
	const candidates = 64 // so many that each master is likely to have one
	var keys []string
	masters := make(map[*redis.Client]bool)
	for i := range candidates {
		key := fmt.Sprintf("%s-%d", trialKey, i)
		master, err := cluster.MasterForKey(ctx, "{"+key+"}")
		if err != nil {
			return nil, l.fault("", err)
		}
		if !masters[master] {
			masters[master] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}
