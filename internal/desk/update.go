package desk

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/tykctl/tykctl/internal/registry"
)

// Amendment is what an operator changes of a key. What is nil stays as it is.
type Amendment struct {
	Limit     *int64         // 0 suspends the key
	Window    *time.Duration // 0: the gateway's own
	Algorithm *string
	Burst     *int64
	MaxDelay  *time.Duration
	Label     *string
	Routes    *[]string
	TTL       *time.Duration // from now on
}

// Change judges the amendment at the time now. The error is a fieldError. The limit as
// a whole is judged where it meets the record's other fields.
func (a Amendment) Change(now time.Time) (registry.Change, error) {
	c := registry.Change{RateLimit: a.Limit, Algorithm: a.Algorithm, Burst: a.Burst, Label: a.Label}
	var faults [5]error
	if a.Routes != nil {
		c.AllowedRoutes = *a.Routes
		faults[0] = checkRoutes(c.AllowedRoutes)
	}
	if a.TTL != nil {
		c.TTL = wholeSeconds(*a.TTL)
		end := endAfter(now, c.TTL)
		c.ExpiresAt, c.Expires = &end, new(end.Unix())
		faults[1] = checkTTL(*a.TTL)
	}
	if a.Window != nil {
		c.Window = new(durationText(*a.Window))
		faults[2] = checkWindow(*a.Window)
	}
	if a.MaxDelay != nil {
		c.MaxDelay = new(durationText(*a.MaxDelay))
	}
	if a.Label != nil {
		faults[3] = checkLabel(*a.Label)
	}
	if a.Limit != nil && *a.Limit < 0 {
		faults[4] = wrongField("limit", "must be 0 or more, not %d", *a.Limit)
	}
	return c, cmp.Or(faults[:]...)
}

// updated is a record after its change. Its JSON form is fixed for scripts.
type updated struct {
	APIKey string          `json:"api_key"`
	Record json.RawMessage `json:"record"`
	TTL    *int64          `json:"ttl"`
}

// ReportUpdate is what update answers.
func ReportUpdate(e registry.Entry) updated {
	return updated{e.APIKey, json.RawMessage(e.Raw), TTLSeconds(e.TTL)}
}

// TTLSeconds is nil for never.
func TTLSeconds(ttl time.Duration) *int64 {
	if ttl < 0 {
		return nil
	}
	return new(int64((ttl + time.Second - 1) / time.Second))
}
