package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "token",
		Short: "Make tokens",
		Example: `  tykctl token gen
  tykctl token gen --routes '/api/v1/test,GET /users/*' --limit 100 -o json`,
	})
	cmd.AddCommand(a.tokenGenCommand())
	return cmd
}

// grant is what an operator gives to a new key.
type grant struct {
	routes []string
	limit  int64
	window time.Duration // 0: the gateway's default
	ttl    time.Duration
}

var errGrant = errors.New("cannot make such a token")

func (g grant) check() error {
	if len(g.routes) == 0 {
		return fmt.Errorf("%w: --routes names no route", errGrant)
	}
	for _, r := range g.routes {
		if err := route.Check(r); err != nil {
			return fmt.Errorf("--routes: %w", err)
		}
	}
	switch {
	case g.limit < 1:
		return fmt.Errorf("%w: --limit must be 1 or more, not %d", errGrant, g.limit)
	case g.ttl < time.Second:
		return fmt.Errorf("%w: --ttl must be 1s or more, not %s", errGrant, g.ttl)
	case g.window != 0 && (g.window < time.Second || g.window%time.Second != 0):
		return fmt.Errorf("%w: --window must be whole seconds, not %s", errGrant, g.window)
	}
	return nil
}

// issued is a token that was made. Its JSON form is fixed for scripts.
type issued struct {
	APIKey        string    `json:"api_key"`
	StorageKey    string    `json:"storage_key"`
	JWT           string    `json:"jwt"`
	ExpiresAt     time.Time `json:"expires_at"`
	AllowedRoutes []string  `json:"allowed_routes"`
	RateLimit     int64     `json:"rate_limit"`
	Window        string    `json:"window,omitempty"`
}

// issue makes a key: a record in Redis, and the JWT that names it. The JWT is
// signed first, so that no record is left behind by a key that cannot sign.
func issue(ctx context.Context, book *ledger.Ledger, key jwtauth.Key, g grant) (issued, error) {
	now := time.Now()
	exp := now.Add(g.ttl + time.Second - 1).Unix() // whole seconds, rounded up to keep the promise of --ttl
	record := ledger.Grant{
		APIKey:        jwtauth.NewAPIKey(),
		RateLimit:     g.limit,
		ExpiresAt:     time.Unix(exp, 0).UTC(),
		AllowedRoutes: g.routes,
		Expires:       exp,
		IssuedAt:      now.Unix(),
	}
	if g.window != 0 {
		record.Window = g.window.String()
	}
	jwt, err := key.Sign(jwtauth.Claims{
		APIKey: record.APIKey, RateLimit: record.RateLimit, ExpiresAt: record.ExpiresAt,
		AllowedRoutes: record.AllowedRoutes, Expires: record.Expires, IssuedAt: record.IssuedAt,
	})
	if err != nil {
		return issued{}, err
	}
	name, err := book.Create(ctx, record, g.ttl)
	if err != nil {
		return issued{}, err
	}
	return issued{
		APIKey: record.APIKey, StorageKey: name, JWT: jwt, ExpiresAt: record.ExpiresAt,
		AllowedRoutes: record.AllowedRoutes, RateLimit: record.RateLimit, Window: record.Window,
	}, nil
}
