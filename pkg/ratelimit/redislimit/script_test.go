package redislimit

import (
	"testing"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Redis learns a script when it first sees it; nobody needs to know.
func TestAnUnknownScriptIsNoError(t *testing.T) {
	t.Parallel()
	var exchanges []Exchange
	server := redistest.Start(t)
	limiter := New(server.Client(t), Options{Observe: func(x Exchange) { exchanges = append(exchanges, x) }})
	mustTake(t, limiter, "k", ratelimit.Limit{Permits: 2, Window: century}, 1)
	if len(exchanges) != 2 || exchanges[0].Err != nil || exchanges[1].Err != nil {
		t.Errorf("exchanges %+v, want two without an error", exchanges)
	}
	server.Stop()
	if _, err := limiter.Take(t.Context(), "k", ratelimit.Limit{Permits: 2, Window: century}, 1); err == nil || len(exchanges) < 3 || exchanges[2].Err == nil {
		t.Errorf("without Redis: %v, exchanges %+v", err, exchanges)
	}
}
