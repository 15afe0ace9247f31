package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// A new key is spread, signs, and the old one ends: at each step every token that
// was made before it and has not been retired is let in.
func TestKeysAreReplacedWithoutAnOutage(t *testing.T) {
	old := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(old, []byte(newSecret(secretBytes)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	retiring := func(at string) string {
		return `[{"kid":"old","algorithm":"HS256","file":"` + old + `","retire_at":"` + at + `"},
			{"kid":"new","algorithm":"HS512","secret":"` + testSecret + `","not_before":"2026-01-01T00:00:00Z"}]`
	}
	before := start(t, map[string]string{
		"application.token.jwt_secret": "",
		"application.token.keys":       `[{"kid":"old","algorithm":"HS256","file":"` + old + `"}]`,
	})
	first := before.token(grant{})
	before.want(before.get("/api/v1/test", first.JWT), 200, "")

	between := startWith(t, before.redis, map[string]string{
		"application.token.jwt_secret": "",
		"application.token.keys":       retiring("9000-01-01T00:00:00Z"),
	})
	second := between.token(grant{})
	between.want(between.get("/api/v1/test", first.JWT), 200, "")
	between.want(between.get("/api/v1/test", second.JWT), 200, "")
	before.want(before.get("/api/v1/test", second.JWT), 401, "invalid_token") // as it does not know the key

	after := startWith(t, before.redis, map[string]string{
		"application.token.jwt_secret": "",
		"application.token.keys":       retiring("2026-01-02T00:00:00Z"),
	})
	after.want(after.get("/api/v1/test", first.JWT), 401, "invalid_token")
	after.want(after.get("/api/v1/test", second.JWT), 200, "")
}

func TestChooseKey(t *testing.T) {
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	key := func(kid string, from, until time.Duration) jwtauth.Key {
		k, err := jwtauth.NewHMACKey("HS256", []byte(testSecret))
		if err == nil && kid != "" {
			k, err = k.WithID(kid)
		}
		if err != nil {
			t.Fatal(err)
		}
		return k.Between(now.Add(from), now.Add(until))
	}
	const hour = time.Hour
	for name, tt := range map[string]struct {
		keys []jwtauth.Key
		kid  string
		want string // "!" is an error
	}{
		"the newest in use":             {[]jwtauth.Key{key("a", -2*hour, hour), key("b", -hour, hour), key("c", hour, 2*hour)}, "", "b"},
		"the order does not count":      {[]jwtauth.Key{key("b", -hour, hour), key("a", -2*hour, hour)}, "", "b"},
		"the last of the same age":      {[]jwtauth.Key{key("a", -hour, hour), key("b", -hour, hour)}, "", "b"},
		"not a retired one":             {[]jwtauth.Key{key("a", -2*hour, hour), key("b", -hour, 0)}, "", "a"},
		"that of jwt_secret goes first": {[]jwtauth.Key{key("a", -hour, hour), key("", -hour, hour)}, "", ""},
		"the one that was named":        {[]jwtauth.Key{key("", -hour, hour), key("a", -hour, hour)}, "a", "a"},
		"none in use":                   {[]jwtauth.Key{key("a", hour, 2*hour)}, "", "!"},
		"none at all":                   {nil, "", "!"},
		"none of that name":             {[]jwtauth.Key{key("a", -hour, hour)}, "b", "!"},
		"named, but retired":            {[]jwtauth.Key{key("a", -hour, 0)}, "a", "!"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chooseKey(tt.keys, tt.kid, now)
			if (err != nil) != (tt.want == "!") || err == nil && got.ID() != tt.want {
				t.Errorf("got %q, %v; want %q", got.ID(), err, tt.want)
			}
		})
	}
}
