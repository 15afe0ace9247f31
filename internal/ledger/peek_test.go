package ledger

import (
	"context"
	"errors"
	"testing"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
)

// A look tells what a taking would then be told.
func TestPeekForetellsTake(t *testing.T) {
	server := redistest.Start(t)
	l, client := open(t, server, func(o *options) { o.remember(16) }), server.Client(t)
	put(t, client, "token:"+testKey, `{"rate_limit":2,"window":"744h"}`, 0)
	for n := range 4 {
		said, err := l.Peek(t.Context(), testKey, anyone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Take(t.Context(), testKey, anyone)
		if err != nil {
			t.Fatal(err)
		}
		s, g := said.Decision, got.Decision
		if s.Granted != g.Granted || s.Remaining != g.Remaining || s.Limit != g.Limit || (s.RetryAfter > 0) != (g.RetryAfter > 0) {
			t.Errorf("request %d: said %+v, got %+v", n, s, g)
		}
	}
	no := errors.New("no")
	for name, ask := range map[string]func(context.Context, string, func(*storage.Record) error) (Permit, error){"peek": l.Peek, "take": l.Take} {
		if p, err := ask(t.Context(), testKey, func(*storage.Record) error { return no }); !errors.Is(err, no) || p.Record == nil {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if _, err := ask(t.Context(), "a-key-that-is-not-there", anyone); !errors.Is(err, storage.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
