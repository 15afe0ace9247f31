package desk

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Grant is what an operator gives to a new key.
type Grant struct {
	Routes    []string
	Limit     int64
	Window    time.Duration // 0: the gateway's default
	TTL       time.Duration
	Algorithm string // "": the gateway's default
	Burst     int64
	MaxDelay  time.Duration
	Label     string
}

// DefaultTTL is how long a key lives if nobody says.
const DefaultTTL = 24 * time.Hour

// Check judges each field by itself. The error is a [FieldError].
func (g Grant) Check() error {
	if err := checkRoutes(g.Routes); err != nil {
		return err
	}
	if g.Limit < 1 {
		return wrongField("limit", "must be 1 or more, not %d", g.Limit)
	}
	if err := cmp.Or(checkTTL(g.TTL), checkWindow(g.Window)); err != nil {
		return err
	}
	return checkLabel(g.Label)
}

// CheckLimit judges the limit together with what the configuration adds to it.
func (g Grant) CheckLimit(open ratelimit.Limit) error {
	limit, err := g.record().Limit(open)
	if err = cmp.Or(err, limit.Validate()); err != nil {
		return fmt.Errorf("not allowed: %w", err)
	}
	return nil
}

// record is what the grant says of a key, whichever it will be.
func (g Grant) record() storage.Grant {
	return storage.Grant{
		RateLimit: g.Limit, AllowedRoutes: g.Routes, Window: durationText(g.Window),
		Algorithm: g.Algorithm, Burst: g.Burst, MaxDelay: durationText(g.MaxDelay), Label: g.Label,
	}
}

func checkRoutes(routes []string) error {
	if len(routes) == 0 {
		return wrongField("routes", "names no route")
	}
	for _, r := range routes {
		if err := route.Check(r); err != nil {
			return FieldError{Field: "routes", Err: err}
		}
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < time.Second {
		return wrongField("ttl", "must be 1s or more, not %s", duration.Format(ttl))
	}
	return nil
}

func checkWindow(window time.Duration) error {
	if window != 0 && (window < time.Second || window%time.Second != 0) {
		return wrongField("window", "must be whole seconds, not %s", duration.Format(window))
	}
	return nil
}

func checkLabel(label string) error {
	if utf8.RuneCountInString(label) > storage.MaxLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return wrongField("label", "must be at most %d characters, all of them visible", storage.MaxLabel)
	}
	return nil
}

// Issued is a token that was made. Its JSON form is fixed for scripts.
type Issued struct {
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

// NewToken makes a key and signs its JWT. It writes nothing.
func NewToken(book *registry.Registry, key jwtauth.Key, g Grant, now time.Time) (storage.Grant, Issued, error) {
	end := endAfter(now, g.TTL)
	record := g.record()
	record.APIKey, record.IssuedAt = jwtauth.NewAPIKey(), now.Unix()
	record.ExpiresAt, record.Expires = end, end.Unix()
	jwt, err := key.Sign(jwtauth.Claims{
		APIKey: record.APIKey, RateLimit: record.RateLimit, ExpiresAt: record.ExpiresAt,
		AllowedRoutes: record.AllowedRoutes, Expires: record.Expires, IssuedAt: record.IssuedAt,
	})
	return record, Issued{
		APIKey: record.APIKey, StorageKey: book.RecordName(record.APIKey), JWT: jwt, ExpiresAt: record.ExpiresAt,
		AllowedRoutes: record.AllowedRoutes, RateLimit: record.RateLimit, Window: record.Window,
		Algorithm: record.Algorithm, Burst: record.Burst, MaxDelay: record.MaxDelay, Label: record.Label,
	}, err
}

// Issue makes a key: a record in Redis, and the JWT that names it. The JWT is
// signed first, so that no record is left behind by a key that cannot sign.
func Issue(ctx context.Context, book *registry.Registry, key jwtauth.Key, g Grant) (Issued, error) {
	record, made, err := NewToken(book, key, g, time.Now())
	if err != nil {
		return Issued{}, err
	}
	if _, err := book.Create(ctx, record, wholeSeconds(g.TTL)); err != nil {
		return Issued{}, err
	}
	return made, nil
}

// Reissue signs another JWT for a key that there is, as its record now stands. It
// ends with the record, or after ttl if that is sooner; 0 is as late as can be.
func Reissue(ctx context.Context, book *registry.Registry, key jwtauth.Key, apiKey string, ttl time.Duration, now time.Time) (Issued, error) {
	e, err := book.Lookup(ctx, apiKey)
	switch {
	case err != nil:
		return Issued{}, err
	case e.Record == nil:
		return Issued{}, e.Problem
	}
	end := endAfter(now, cmp.Or(ttl, DefaultTTL))
	if last := e.End(now); !last.IsZero() && (ttl == 0 || last.Before(end)) {
		end = last.Truncate(time.Second).UTC()
	}
	if !now.Before(end) {
		return Issued{}, fmt.Errorf("%w, since %s; extend it with 'tykctl token update --ttl'", storage.ErrExpired, end.Format(time.RFC3339))
	}
	made := Issued{
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
