package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/internal/term"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func (a *app) tokenCommand() *cobra.Command {
	where := &store{}
	cmd := group(&cobra.Command{
		Use:   "token",
		Short: "Make, inspect, list, change and revoke keys and their tokens",
		Example: `  tykctl token gen --routes '/api/v1/test,GET /users/*' --limit 100
  tykctl token inspect eyJhbGciOi… --method GET --path /users/7`,
	})
	where.flags(cmd)
	where.searchFlag(cmd)
	cmd.AddCommand(a.tokenGenCommand(where), a.tokenInspectCommand(where), a.tokenListCommand(where),
		a.tokenUpdateCommand(where), a.tokenRevokeCommand(where))
	return cmd
}

// grant is what an operator gives to a new key.
type grant struct {
	routes    []string
	limit     int64
	window    time.Duration // 0: the gateway's default
	ttl       time.Duration
	algorithm string // "": the gateway's default
	burst     int64
	maxDelay  time.Duration
	label     string
}

const defaultTTL = 24 * time.Hour

var errGrant = errors.New("not allowed")

func (g grant) check() error {
	if err := checkRoutes(g.routes); err != nil {
		return err
	}
	if g.limit < 1 {
		return fmt.Errorf("%w: --limit must be 1 or more, not %d", errGrant, g.limit)
	}
	if err := cmp.Or(checkTTL(g.ttl), checkWindow(g.window)); err != nil {
		return err
	}
	return checkLabel(g.label)
}

// checkLimit judges the limit together with what the configuration adds to it.
func (g grant) checkLimit(open ratelimit.Limit) error {
	limit, err := g.record().Limit(open)
	if err = cmp.Or(err, limit.Validate()); err != nil {
		return fmt.Errorf("%w: %w", errGrant, err)
	}
	return nil
}

// record is what the grant says of a key, whichever it will be.
func (g grant) record() ledger.Grant {
	return ledger.Grant{
		RateLimit: g.limit, AllowedRoutes: g.routes, Window: durationText(g.window),
		Algorithm: g.algorithm, Burst: g.burst, MaxDelay: durationText(g.maxDelay), Label: g.label,
	}
}

func checkRoutes(routes []string) error {
	if len(routes) == 0 {
		return fmt.Errorf("%w: --routes names no route", errGrant)
	}
	for _, r := range routes {
		if err := route.Check(r); err != nil {
			return fmt.Errorf("--routes: %w", err)
		}
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < time.Second {
		return fmt.Errorf("%w: --ttl must be 1s or more, not %s", errGrant, duration.Format(ttl))
	}
	return nil
}

func checkWindow(window time.Duration) error {
	if window != 0 && (window < time.Second || window%time.Second != 0) {
		return fmt.Errorf("%w: --window must be whole seconds, not %s", errGrant, duration.Format(window))
	}
	return nil
}

func checkLabel(label string) error {
	if utf8.RuneCountInString(label) > ledger.MaxLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, term.Hidden) {
		return fmt.Errorf("%w: --label must be at most %d characters, all of them visible", errGrant, ledger.MaxLabel)
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
	Algorithm     string    `json:"algorithm,omitempty"`
	Burst         int64     `json:"burst,omitempty"`
	MaxDelay      string    `json:"max_delay,omitempty"`
	Label         string    `json:"label,omitempty"`
	DryRun        bool      `json:"dry_run,omitempty"` // there is no such record
}

// newToken makes a key and signs its JWT. It writes nothing.
func newToken(book *ledger.Ledger, key jwtauth.Key, g grant, now time.Time) (ledger.Grant, issued, error) {
	end := endAfter(now, g.ttl)
	record := g.record()
	record.APIKey, record.IssuedAt = jwtauth.NewAPIKey(), now.Unix()
	record.ExpiresAt, record.Expires = end, end.Unix()
	jwt, err := key.Sign(jwtauth.Claims{
		APIKey: record.APIKey, RateLimit: record.RateLimit, ExpiresAt: record.ExpiresAt,
		AllowedRoutes: record.AllowedRoutes, Expires: record.Expires, IssuedAt: record.IssuedAt,
	})
	return record, issued{
		APIKey: record.APIKey, StorageKey: book.RecordName(record.APIKey), JWT: jwt, ExpiresAt: record.ExpiresAt,
		AllowedRoutes: record.AllowedRoutes, RateLimit: record.RateLimit, Window: record.Window,
		Algorithm: record.Algorithm, Burst: record.Burst, MaxDelay: record.MaxDelay, Label: record.Label,
	}, err
}

// issue makes a key: a record in Redis, and the JWT that names it. The JWT is
// signed first, so that no record is left behind by a key that cannot sign.
func issue(ctx context.Context, book *ledger.Ledger, key jwtauth.Key, g grant) (issued, error) {
	record, made, err := newToken(book, key, g, time.Now())
	if err != nil {
		return issued{}, err
	}
	if _, err := book.Create(ctx, record, wholeSeconds(g.ttl)); err != nil {
		return issued{}, err
	}
	return made, nil
}

// reissue signs another JWT for a key that there is, as its record now stands. It
// ends with the record, or after ttl if that is sooner; 0 is as late as can be.
func reissue(ctx context.Context, book *ledger.Ledger, key jwtauth.Key, apiKey string, ttl time.Duration, now time.Time) (issued, error) {
	e, err := book.Lookup(ctx, apiKey)
	switch {
	case err != nil:
		return issued{}, err
	case e.Record == nil:
		return issued{}, e.Problem
	}
	end := endAfter(now, cmp.Or(ttl, defaultTTL))
	if last := e.End(now); !last.IsZero() && (ttl == 0 || last.Before(end)) {
		end = last.Truncate(time.Second).UTC()
	}
	if !now.Before(end) {
		return issued{}, fmt.Errorf("%w, since %s; extend it with 'tykctl token update --ttl'", ledger.ErrExpired, end.Format(time.RFC3339))
	}
	made := issued{
		APIKey: apiKey, StorageKey: e.Name, ExpiresAt: end, AllowedRoutes: e.Record.Routes.Patterns(),
		RateLimit: e.Record.Limit.Permits, Window: durationText(e.Record.Limit.Window),
		Algorithm: string(e.Record.Limit.Algorithm), Burst: e.Record.Limit.Burst,
		MaxDelay: durationText(e.Record.Limit.MaxDelay), Label: e.Record.Label,
	}
	made.JWT, err = key.Sign(jwtauth.Claims{
		APIKey: apiKey, RateLimit: made.RateLimit, ExpiresAt: end, AllowedRoutes: made.AllowedRoutes,
		Expires: end.Unix(), IssuedAt: now.Unix(),
	})
	return made, err
}

// endAfter counts from the second in which iat lies, so that exp − iat is the ttl.
func endAfter(now time.Time, ttl time.Duration) time.Time {
	return time.Unix(now.Unix(), 0).Add(wholeSeconds(ttl)).UTC()
}

// wholeSeconds rounds up: the times of a token have no fractions.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// splitList reads a comma-separated list; a trailing comma is no fault.
func splitList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
