package desk

import (
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

// Filter chooses keys of a list. The zero filter wants all.
type Filter struct {
	Label     string        // what the label contains, whatever the case of its letters; "" for any
	ExpiresIn time.Duration // the most that a key may have left; 0 for any
}

// Wants reports whether a key is one of those. A record that cannot be used is one only
// of the zero filter's.
func (f Filter) Wants(e registry.Entry, now time.Time) bool {
	if f.Label != "" && (e.Record == nil || !labelled(e.Record.Label, f.Label)) {
		return false
	}
	if f.ExpiresIn > 0 {
		end := e.End(now)
		return e.Record != nil && !end.IsZero() && !end.After(now.Add(f.ExpiresIn))
	}
	return true
}

// labelled reports whether a label contains a text, whatever the case of its letters.
func labelled(label, text string) bool {
	return strings.Contains(strings.ToLower(label), strings.ToLower(text))
}

// Listed is a key in a list. Its JSON form is fixed for scripts.
type Listed struct {
	APIKey        string     `json:"api_key"`
	Label         string     `json:"label"`
	RateLimit     int64      `json:"rate_limit"`
	Window        int64      `json:"window"`
	Algorithm     string     `json:"algorithm"`
	AllowedRoutes []string   `json:"allowed_routes"`
	ExpiresAt     *time.Time `json:"expires_at"`
	TTL           *int64     `json:"ttl"`
	KeyHash       string     `json:"key_hash"`
}

// Unusable is a record that the gateway could not use.
type Unusable struct {
	APIKey  string `json:"api_key"`
	Problem string `json:"problem"`
	KeyHash string `json:"key_hash"`
}

// Row is a key's JSON form.
func Row(e registry.Entry) any {
	if e.Record == nil {
		return Unusable{e.APIKey, e.Problem.Error(), storage.KeyHash(e.APIKey)}
	}
	limit := e.Record.Limit
	value := Listed{
		APIKey: e.APIKey, Label: e.Record.Label, RateLimit: limit.Permits, Window: int64(limit.Window / time.Second),
		Algorithm: algorithmOf(limit), AllowedRoutes: e.Record.Routes.Patterns(), TTL: TTLSeconds(e.TTL),
		KeyHash: storage.KeyHash(e.APIKey),
	}
	if value.AllowedRoutes == nil {
		value.AllowedRoutes = []string{}
	}
	if !e.Record.Expires.IsZero() {
		value.ExpiresAt = new(e.Record.Expires.UTC())
	}
	return value
}
