package ratelimit

import (
	"net/http"
	"strconv"
	"time"
)

// policyName names the one policy of an answer in the RateLimit fields.
const policyName = `"default"`

// SetHeader sets the response fields that tell a client about its limit:
// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), the older
// X-RateLimit-Limit, -Remaining and -Reset, and, if nothing was granted,
// Retry-After (RFC 9110, section 10.2.3). Times are in seconds from now, rounded up.
//
// RateLimit-Policy is the configured limit: q permits in w seconds. A TokenBucket
// that holds more or fewer than q adds the parameter burst. In RateLimit, r is
// Remaining, which can exceed q for a bucket or a queue, and t is More, the time
// until more permits are available (as of draft -10). If the decision has no More, t
// is its RetryAfter, or else its Reset. X-RateLimit-Reset is Reset, the time until
// all permits are available; with FixedWindow it equals t. Retry-After is never
// less than t, so a client that waits for either does not come back too early.
//
// The fields replace earlier values. An earlier Retry-After stays if d is not a
// refusal.
func (d Decision) SetHeader(h http.Header) { d.setHeader(h, &canonical) }

// SetHeaderSpelled is [Decision.SetHeader] with the names spelled as in their
// specifications: RateLimit, not Ratelimit. net/http's server sends them as they
// are, but the methods of http.Header do not find them.
func (d Decision) SetHeaderSpelled(h http.Header) { d.setHeader(h, &spelled) }

// The fields' names, in the order in which setHeader makes their values.
var (
	canonical = [...]string{"Ratelimit-Policy", "Ratelimit", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"}
	spelled   = [...]string{"RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
)

// setHeader runs for every answer: one string holds all values, and one array.
func (d Decision) setHeader(h http.Header, names *[len(canonical)]string) {
	var buf [192]byte
	b := append(buf[:0], policyName+";q="...)
	permits := len(b)
	b = strconv.AppendInt(b, d.Limit.Permits, 10)
	permitsEnd := len(b)
	b = append(b, ";w="...)
	b = strconv.AppendInt(b, ceilSeconds(d.Limit.Window), 10)
	if burst := d.Limit.Burst; burst != 0 && burst != d.Limit.Permits {
		b = append(b, ";burst="...)
		b = strconv.AppendInt(b, burst, 10)
	}
	policyEnd := len(b)
	b = append(b, policyName+";r="...)
	remaining := len(b)
	b = strconv.AppendInt(b, d.Remaining, 10)
	remainingEnd := len(b)
	b = append(b, ";t="...)
	more := ceilSeconds(d.more())
	b = strconv.AppendInt(b, more, 10)
	limitEnd := len(b)
	b = strconv.AppendInt(b, ceilSeconds(d.Reset), 10)

	all := string(b)
	v := []string{all[:policyEnd], all[policyEnd:limitEnd], all[permits:permitsEnd], all[remaining:remainingEnd], all[limitEnd:]}
	for i, name := range names {
		h[name] = v[i : i+1 : i+1] // its capacity ends with it, so that Add copies
	}
	if !d.Allowed() {
		h["Retry-After"] = []string{strconv.FormatInt(max(ceilSeconds(d.RetryAfter), more, 1), 10)}
	}
}

// more is More, or the closest substitute in a decision without it.
func (d Decision) more() time.Duration {
	switch {
	case d.More > 0:
		return d.More
	case d.RetryAfter > 0:
		return d.RetryAfter
	}
	return d.Reset
}

// ceilSeconds rounds up, so that a client that waits this long is not too early.
func ceilSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return max(s, 0)
}
