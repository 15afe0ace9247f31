package ratelimit

import (
	"net/http"
	"strconv"
	"time"
)

// policyName names the one policy of an answer in the RateLimit fields.
const policyName = `"default"`

// SetHeader sets the fields that tell a client where it stands: RateLimit-Policy
// and RateLimit (draft-ietf-httpapi-ratelimit-headers), the older
// X-RateLimit-Limit, -Remaining and -Reset, and, when nothing was granted,
// Retry-After (RFC 9110, section 10.2.3). Times are seconds left, rounded up.
//
// The policy is the limit as it was set, q permits in w seconds; a TokenBucket
// that holds another number than q says so in a parameter of its own, burst. Then
// r, what is left, is Remaining, which for a bucket or a queue can exceed q; and t
// is Reset, the time until all is there again. Retry-After alone says when to come
// back: with SlidingWindow, a bucket or a queue that is sooner than t.
//
// The fields replace earlier values; an earlier Retry-After stays when d is not
// a refusal.
func (d Decision) SetHeader(h http.Header) {
	permits := strconv.FormatInt(d.Limit.Permits, 10)
	remaining := strconv.FormatInt(d.Remaining, 10)
	reset := strconv.FormatInt(ceilSeconds(d.Reset), 10)
	policy := policyName + ";q=" + permits + ";w=" + strconv.FormatInt(ceilSeconds(d.Limit.Window), 10)
	if b := d.Limit.Burst; b != 0 && b != d.Limit.Permits {
		policy += ";burst=" + strconv.FormatInt(b, 10)
	}

	// One array backs all values. The keys are in the form that http.Header.Get
	// looks for, and each value's capacity ends with it, so that Add copies.
	v := []string{
		policy,
		policyName + ";r=" + remaining + ";t=" + reset,
		permits,
		remaining,
		reset,
	}
	h["Ratelimit-Policy"] = v[0:1:1]
	h["Ratelimit"] = v[1:2:2]
	h["X-Ratelimit-Limit"] = v[2:3:3]
	h["X-Ratelimit-Remaining"] = v[3:4:4]
	h["X-Ratelimit-Reset"] = v[4:5:5]
	if !d.Allowed() {
		h["Retry-After"] = []string{strconv.FormatInt(max(ceilSeconds(d.RetryAfter), 1), 10)}
	}
}

// ceilSeconds rounds up, so that a client that waits as told is not too early.
func ceilSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return max(s, 0)
}
