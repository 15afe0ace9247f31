package ledger

import (
	"context"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Peek answers as [Ledger.Take] would now, at the same cost of time at most, and
// takes nothing. It never answers from memory.
func (l *Ledger) Peek(ctx context.Context, apiKey string, allow func(*storage.Record) error) (Permit, error) {
	start := l.now()
	ctx, cancel := l.store.Budget(ctx)
	defer cancel()
	err := l.store.Find(ctx)
	var rec *storage.Record
	if err == nil {
		rec, err = l.fetch(ctx, apiKey)
	}
	if err != nil {
		return Permit{Waited: l.now().Sub(start)}, err
	}
	permit := Permit{Record: rec}
	if err = l.authorise(rec, allow); err == nil {
		permit.Decision, err = l.peek(ctx, apiKey, rec.Limit)
	}
	permit.Waited = l.now().Sub(start)
	return permit, err
}

func (l *Ledger) peek(ctx context.Context, apiKey string, limit ratelimit.Limit) (ratelimit.Decision, error) {
	start := l.now()
	d, err := l.store.At().Limiter.Peek(ctx, apiKey, limit, 1)
	l.store.Observe("usage", start, err)
	if err != nil {
		return d, l.fault(apiKey, err)
	}
	return d, nil
}
