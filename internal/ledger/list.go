package ledger

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scanPage is about how many names Redis looks at for one page: enough to make
// the round trips cheap, too few to hold up the requests of others.
const scanPage = 1000

// All goes over everything in Redis whose name begins with the prefix, page by
// page, in no order. What is there from beginning to end is seen; twice, if Redis
// resizes its table meanwhile. What comes or goes meanwhile may be seen or not.
// The last pair holds an error if there was one, an [ErrUnavailable]; what came
// before it is sound.
//
// Cost: two round trips for about a thousand keys in the database, and the memory
// of one page.
func (l *Ledger) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		nodes, err := l.masters(ctx)
		if err != nil {
			yield(Entry{}, l.fault("", err))
			return
		}
		for _, node := range nodes {
			if !l.scan(ctx, node, yield) {
				return
			}
		}
	}
}

// scan yields what one node holds, and reports whether to go on.
func (l *Ledger) scan(ctx context.Context, node redis.Cmdable, yield func(Entry, error) bool) bool {
	match := globEscape.Replace(l.opts.Prefix) + "*"
	for cursor := uint64(0); ; {
		start := l.now()
		names, next, err := node.Scan(ctx, cursor, match, scanPage).Result()
		l.observe("scan", start, err)
		if err != nil {
			yield(Entry{}, l.fault("", err))
			return false
		}
		for _, e := range l.lookup(ctx, names) {
			if e.err != nil {
				yield(Entry{}, e.err)
				return false
			}
			if e.exists && !yield(e.Entry, nil) {
				return false
			}
		}
		if cursor = next; cursor == 0 {
			return true
		}
	}
}

// masters are the nodes that hold keys of their own.
func (l *Ledger) masters(ctx context.Context) ([]redis.Cmdable, error) {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return []redis.Cmdable{l.client}, nil
	}
	var mu sync.Mutex
	var nodes []redis.Cmdable
	err := cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node)
		return nil
	})
	return nodes, err
}

// globEscape makes SCAN take every character of a prefix for itself.
var globEscape = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)

// keyOf undoes recordKey.
func (l *Ledger) keyOf(name string) string {
	key := strings.TrimPrefix(name, l.opts.Prefix)
	if l.opts.cluster() {
		key = strings.TrimSuffix(strings.TrimPrefix(key, "{"), "}")
	}
	return key
}
