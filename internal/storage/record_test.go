package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

func TestDecode(t *testing.T) {
	const key = "an-api-key-of-the-tests"
	minute := ratelimit.Limit{Permits: 10, Window: time.Minute}
	exp := time.Unix(1_800_000_000, 0)
	for name, tt := range map[string]struct {
		raw     string
		limit   ratelimit.Limit
		expires time.Time
		allows  string // a path
	}{
		"what token gen writes": {
			raw: `{"api_key":"an-api-key-of-the-tests","rate_limit":10,"expires_at":"2027-01-15T08:00:00Z",` +
				`"allowed_routes":["/a"],"exp":1800000000,"iat":1}`,
			limit: minute, expires: exp, allows: "/a",
		},
		"a limit and routes alone":        {raw: `{"rate_limit":10,"allowed_routes":["/a"]}`, limit: minute, allows: "/a"},
		"numbers of a language of floats": {raw: `{"rate_limit":10.0,"exp":1.8e9}`, limit: minute, expires: exp},
		"fields of somebody else's":       {raw: `{"rate_limit":10,"owner":{"name":"x"},"tags":[1]}`, limit: minute},
		"a window in days":                {raw: `{"rate_limit":10,"window":"1d12h"}`, limit: ratelimit.Limit{Permits: 10, Window: 36 * time.Hour}},
		"a window of its own":             {raw: `{"rate_limit":10,"window":"1h"}`, limit: ratelimit.Limit{Permits: 10, Window: time.Hour}},
		"an algorithm by name": {
			raw:   `{"rate_limit":10,"algorithm":"fixed_window"}`,
			limit: ratelimit.Limit{Algorithm: ratelimit.FixedWindow, Permits: 10, Window: time.Minute},
		},
		"a sliding window": {
			raw:   `{"rate_limit":10,"algorithm":"sliding_window","window":"10s"}`,
			limit: ratelimit.Limit{Algorithm: ratelimit.SlidingWindow, Permits: 10, Window: 10 * time.Second},
		},
		"a token bucket": {
			raw:   `{"rate_limit":10,"algorithm":"token_bucket","burst":20}`,
			limit: ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 10, Window: time.Minute, Burst: 20},
		},
		"a leaky bucket": {
			raw:   `{"rate_limit":10,"algorithm":"leaky_bucket","max_delay":"1.5s"}`,
			limit: ratelimit.Limit{Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: time.Minute, MaxDelay: 1500 * time.Millisecond},
		},
		"nothing allowed":               {raw: `{"rate_limit":0}`, limit: ratelimit.Limit{Window: time.Minute}},
		"expires_at before exp":         {raw: `{"rate_limit":10,"expires_at":"2027-01-15T08:00:00Z","exp":1900000000}`, limit: minute, expires: exp},
		"exp before expires_at":         {raw: `{"rate_limit":10,"expires_at":"2030-01-01T00:00:00Z","exp":1800000000}`, limit: minute, expires: exp},
		"nulls are fields left out":     {raw: `{"rate_limit":10,"expires_at":null,"window":null,"exp":null}`, limit: minute},
		"a route that is not a pattern": {raw: `{"rate_limit":10,"allowed_routes":["/a","b*"]}`, limit: minute, allows: "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := decode(tt.raw, key, ratelimit.Limit{Window: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if rec.Limit != tt.limit || !rec.Expires.Equal(tt.expires) || rec.raw != tt.raw {
				t.Errorf("limit %+v, expires %v; want %+v, %v", rec.Limit, rec.Expires, tt.limit, tt.expires)
			}
			if tt.allows != "" && !rec.Routes.Allows("GET", tt.allows) || rec.Routes.Allows("GET", "/elsewhere") {
				t.Errorf("routes %q", rec.Routes.Patterns())
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, raw := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{"rate_limit":10}x`,
		`{}`, `{"rate_limit":null}`, `{"rate_limit":"ten"}`, `{"rate_limit":1.5}`, `{"rate_limit":-1}`, `{"rate_limit":1e300}`,
		`{"rate_limit":9223372036854775807}`,
		`{"rate_limit":10,"window":"soon"}`, `{"rate_limit":10,"window":60}`, `{"rate_limit":10,"window":"0s"}`, `{"rate_limit":10,"window":"-1m"}`,
		`{"rate_limit":10,"algorithm":"guess"}`,
		`{"rate_limit":10,"burst":20}`, `{"rate_limit":10,"max_delay":"1s"}`,
		`{"rate_limit":10,"algorithm":"token_bucket","burst":"x"}`, `{"rate_limit":10,"algorithm":"token_bucket","burst":1.5}`,
		`{"rate_limit":10,"algorithm":"token_bucket","burst":-1}`, `{"rate_limit":10,"algorithm":"token_bucket","max_delay":"1s"}`,
		`{"rate_limit":10,"algorithm":"leaky_bucket","max_delay":"soon"}`, `{"rate_limit":10,"algorithm":"leaky_bucket","max_delay":"-1s"}`,
		`{"rate_limit":10,"algorithm":"leaky_bucket","max_delay":1}`, `{"rate_limit":10,"algorithm":"leaky_bucket","burst":1}`,
		`{"rate_limit":1000000000,"algorithm":"leaky_bucket"}`,
		`{"rate_limit":10,"expires_at":"tomorrow"}`, `{"rate_limit":10,"exp":"x"}`,
		`{"rate_limit":10,"allowed_routes":"/a"}`,
		`{"rate_limit":10,"api_key":"somebody-elses-key"}`,
	} {
		if rec, err := decode(raw, "an-api-key-of-the-tests", ratelimit.Limit{Window: time.Minute}); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %+v, %v; want ErrRecord", raw, rec, err)
		}
	}
}

// What a record leaves open is the gateway's to say; but burst and delay only to
// records that leave the algorithm open as well.
func TestDecodeFillsInWhatIsOpen(t *testing.T) {
	const minute = time.Minute
	bucket := ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 99, Window: minute, Burst: 20}
	queue := ratelimit.Limit{Algorithm: ratelimit.LeakyBucket, Window: minute, MaxDelay: time.Second}
	for _, tt := range []struct {
		open ratelimit.Limit
		raw  string
		want ratelimit.Limit
	}{
		{bucket, `{"rate_limit":10}`, ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 10, Window: minute, Burst: 20}},
		{bucket, `{"rate_limit":10,"burst":5}`, ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 10, Window: minute, Burst: 5}},
		{bucket, `{"rate_limit":10,"burst":0}`, ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 10, Window: minute}},
		{bucket, `{"rate_limit":10,"algorithm":"token_bucket"}`, ratelimit.Limit{Algorithm: ratelimit.TokenBucket, Permits: 10, Window: minute}},
		{bucket, `{"rate_limit":10,"algorithm":"fixed_window"}`, ratelimit.Limit{Algorithm: ratelimit.FixedWindow, Permits: 10, Window: minute}},
		{queue, `{"rate_limit":10,"window":"1s"}`, ratelimit.Limit{Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: time.Second, MaxDelay: time.Second}},
		{queue, `{"rate_limit":10,"max_delay":"2s"}`, ratelimit.Limit{Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: minute, MaxDelay: 2 * time.Second}},
		{queue, `{"rate_limit":10,"algorithm":"leaky_bucket"}`, ratelimit.Limit{Algorithm: ratelimit.LeakyBucket, Permits: 10, Window: minute}},
	} {
		rec, err := decode(tt.raw, "an-api-key-of-the-tests", tt.open)
		if err != nil || rec.Limit != tt.want {
			t.Errorf("%s beside %+v: %+v, %v; want %+v", tt.raw, tt.open, rec, err, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"api_key":"an-api-key-of-the-tests","rate_limit":10,"exp":1800000000,"window":"1m","allowed_routes":["/a"]}`)
	f.Add(`{"rate_limit":1e3}`)
	f.Fuzz(func(t *testing.T, raw string) {
		rec, err := decode(raw, "an-api-key-of-the-tests", ratelimit.Limit{Window: time.Minute})
		switch {
		case err != nil && !errors.Is(err, ErrRecord):
			t.Errorf("error %v does not wrap ErrRecord", err)
		case err == nil && rec.Limit.Validate() != nil:
			t.Errorf("the limit %+v was let in", rec.Limit)
		}
	})
}

// What is wrong with a record is said without the names of Go's types.
func TestWrongRecordsArePlainlySaid(t *testing.T) {
	for raw, want := range map[string]string{
		`{"rate_limit":5,"window":30}`:          "window cannot be a number",
		`{"rate_limit":5,"window":"30x"}`:       `window must be a duration such as 7d, 36h or 1d12h, not "30x"`,
		`{"rate_limit":5,"allowed_routes":"/"}`: "allowed_routes cannot be a string",
		`{"rate_limit":"x"`:                     "not JSON from byte 17 on",
		`[]`:                                    "it is not a JSON object, but: array",
		`{"rate_limit":5,"expires_at":"soon"}`:  "expires_at is not a time such as 2026-12-31T23:59:59Z",
		`{"rate_limit":"many"}`:                 "a number has another form than 10 or 10.0",
	} {
		_, err := decode(raw, "some-api-key-0001", ratelimit.Limit{Window: time.Minute})
		if got := fmt.Sprint(err); got != ErrRecord.Error()+": "+want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	rec, err := decode(`{"rate_limit":5,"window":"30d"}`, "some-api-key-0001", ratelimit.Limit{Window: time.Minute})
	if err != nil || rec.Limit.Window != 720*time.Hour {
		t.Errorf("%+v, %v: days are a duration in records, too", rec, err)
	}
}

// An odd label is somebody else's business: the key must go on working.
func TestALabelIsNeverAFault(t *testing.T) {
	for label, want := range map[string]string{`"x"`: "x", `null`: "", `5`: "", `{"a":1}`: "", `["x"]`: ""} {
		rec, err := decode(`{"rate_limit":1,"label":`+label+`}`, "an-api-key-of-the-tests", ratelimit.Limit{Window: time.Minute})
		if err != nil || rec.Label != want {
			t.Errorf("%s: %+v, %v", label, rec, err)
		}
	}
}
