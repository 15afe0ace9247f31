package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/jsonobject"
	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// Record is what Redis says of a key, decoded once and then only read.
type Record struct {
	Limit   ratelimit.Limit
	Routes  route.Set
	Expires time.Time // zero when the record names no end of its own
	Label   string    // for people; nothing is decided by it; at most MaxLabel characters and an ellipsis

	name   string // of the Redis key
	tagged bool   // the name is for a Cluster
	raw    string // the exact bytes in Redis: a permit is taken only while they still stand there
}

// Guard has a permit taken only while Redis holds the very bytes that the record was
// read from. [Site.Bind] must have named it.
func (r *Record) Guard() redislimit.Guard { return redislimit.Guard{Key: r.name, Value: r.raw} }

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
	Algorithm     string    `json:"algorithm,omitempty"` // empty means the gateway's default
	Burst         int64     `json:"burst,omitempty"`
	MaxDelay      string    `json:"max_delay,omitempty"` // a duration
	Label         string    `json:"label,omitempty"`     // for people: whom the key is for
}

// Limit is what a store whose DefaultLimit is open will read from the record. It
// may be invalid.
func (g Grant) Limit(open ratelimit.Limit) (ratelimit.Limit, error) {
	s := stored{
		RateLimit: number(g.RateLimit), Window: g.Window, Algorithm: ratelimit.Algorithm(g.Algorithm), MaxDelay: g.MaxDelay,
	}
	if g.Burst != 0 {
		s.Burst = number(g.Burst)
	}
	return s.limit(open)
}

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

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
	Burst         json.Number         `json:"burst"`
	MaxDelay      string              `json:"max_delay"`
}

// decode reads a record of apiKey. What cannot be understood is an error,
// never a guess: an unreadable limit must not become a generous one.
func decode(raw, apiKey string, open ratelimit.Limit) (*Record, error) {
	var s stored
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrRecord, notJSON(err))
	}
	if err := jsonobject.CheckNames(raw, members); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if s.APIKey != "" && s.APIKey != apiKey {
		return nil, fmt.Errorf("%w: it names another api_key", ErrRecord)
	}
	limit, err := s.limit(open)
	if err != nil {
		return nil, err
	}
	if err := limit.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	expires, err := s.end()
	if err != nil {
		return nil, err
	}
	label, _ := s.Label.(string)
	return &Record{Limit: limit, Routes: route.Compile(s.AllowedRoutes), Expires: expires, Label: CutLabel(label), raw: raw}, nil
}

// members are the names that a record's reader knows.
var members = func() (names []string) {
	for field := range reflect.TypeFor[stored]().Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	return names
}()

// MaxLabel is how many characters of a label are written and shown.
const MaxLabel = 256

// CutLabel is a label as far as it is shown.
func CutLabel(label string) string {
	if len(label) <= MaxLabel { // bytes, of which there are no fewer
		return label
	}
	n := 0
	for i := range label {
		if n++; n > MaxLabel {
			return label[:i] + "…"
		}
	}
	return label
}

// notJSON says in plain words why a record could not be decoded.
func notJSON(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return "it is not a JSON object, but: " + wrong.Value
		}
		return fmt.Sprintf("%s cannot be a %s", wrong.Field, wrong.Value)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("not JSON from byte %d on", syntax.Offset)
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return "expires_at is not a time such as 2026-12-31T23:59:59Z"
	}
	return "a number has another form than 10 or 10.0" // all that is left, and without a type of its own
}

// limit takes from open what the record leaves open. Burst and delay belong to an
// algorithm: a record that names one gets no others than its own.
func (s *stored) limit(open ratelimit.Limit) (ratelimit.Limit, error) {
	limit := open
	if s.Algorithm != "" {
		limit = ratelimit.Limit{Algorithm: s.Algorithm, Window: open.Window}
	}
	var err error
	if limit.Permits, err = integer("rate_limit", s.RateLimit); err != nil {
		return limit, err
	}
	if s.Burst != "" {
		if limit.Burst, err = integer("burst", s.Burst); err != nil {
			return limit, err
		}
	}
	for _, d := range []struct {
		field, text string
		into        *time.Duration
	}{{"window", s.Window, &limit.Window}, {"max_delay", s.MaxDelay, &limit.MaxDelay}} {
		if d.text == "" {
			continue
		}
		if *d.into, err = duration.Parse(d.text); err != nil {
			return limit, fmt.Errorf("%w: %s %w", ErrRecord, d.field, err)
		}
	}
	return limit, nil
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
