package ledger

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Record is what Redis says of a key, decoded once and then only read.
type Record struct {
	Limit   ratelimit.Limit
	Routes  route.Set
	Expires time.Time // zero when the record names no end of its own
	Label   string    // for people; nothing is decided by it

	raw string // the exact bytes in Redis: a permit is taken only while they still stand there
}

// Grant is a record as it is written for a new key. The JSON form is shared
// with tools that know nothing of this program.
type Grant struct {
	APIKey        string    `json:"api_key"`
	RateLimit     int64     `json:"rate_limit"`
	ExpiresAt     time.Time `json:"expires_at"`
	AllowedRoutes []string  `json:"allowed_routes"`
	Expires       int64     `json:"exp"`
	IssuedAt      int64     `json:"iat"`
	Window        string    `json:"window,omitempty"`    // a duration; empty means the gateway's default
	Algorithm     string    `json:"algorithm,omitempty"` // empty means a fixed window
	Burst         int64     `json:"burst,omitempty"`
	MaxDelay      string    `json:"max_delay,omitempty"` // a duration
	Label         string    `json:"label,omitempty"`     // for people: whom the key is for
}

// stored is the lenient reading of a record: other programs write numbers as
// 10 or 10.0, leave fields out, and add their own.
type stored struct {
	APIKey        string              `json:"api_key"`
	RateLimit     json.Number         `json:"rate_limit"`
	ExpiresAt     *time.Time          `json:"expires_at"`
	AllowedRoutes []string            `json:"allowed_routes"`
	Expires       json.Number         `json:"exp"`
	Window        string              `json:"window"`
	Algorithm     ratelimit.Algorithm `json:"algorithm"`
	Label         any                 `json:"label"` // a text; what else stands there is somebody's own, and no fault
}

// decode reads a record of apiKey. What cannot be understood is an error,
// never a guess: an unreadable limit must not become a generous one.
func decode(raw, apiKey string, window time.Duration) (*Record, error) {
	var s stored
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if s.APIKey != "" && s.APIKey != apiKey {
		return nil, fmt.Errorf("%w: it names another api_key", ErrRecord)
	}
	permits, err := integer("rate_limit", s.RateLimit)
	if err != nil {
		return nil, err
	}
	if s.Window != "" {
		if window, err = time.ParseDuration(s.Window); err != nil {
			return nil, fmt.Errorf("%w: window: %w", ErrRecord, err)
		}
	}
	limit := ratelimit.Limit{Algorithm: s.Algorithm, Permits: permits, Window: window}
	if err := limit.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	expires, err := s.end()
	if err != nil {
		return nil, err
	}
	label, _ := s.Label.(string)
	return &Record{Limit: limit, Routes: route.Compile(s.AllowedRoutes), Expires: expires, Label: label, raw: raw}, nil
}

// end is the earlier of expires_at and exp, so that shortening either counts.
func (s *stored) end() (time.Time, error) {
	var end time.Time
	if s.ExpiresAt != nil {
		end = *s.ExpiresAt
	}
	if s.Expires == "" {
		return end, nil
	}
	seconds, err := integer("exp", s.Expires)
	if err != nil {
		return time.Time{}, err
	}
	if exp := time.Unix(seconds, 0); end.IsZero() || exp.Before(end) {
		end = exp
	}
	return end, nil
}

func integer(field string, n json.Number) (int64, error) {
	if n == "" {
		return 0, fmt.Errorf("%w: %s is missing", ErrRecord, field)
	}
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i, nil
	}
	// 2^53 is where a float64 stops being able to tell neighbouring integers apart.
	if f, err := n.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		return int64(f), nil
	}
	return 0, fmt.Errorf("%w: %s is not an integer", ErrRecord, field)
}
