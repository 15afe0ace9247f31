package app

import (
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func TestChooseKey(t *testing.T) {
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	key := func(kid string, from, until time.Duration) jwtauth.Key {
		k, err := jwtauth.NewHMACKey("HS256", []byte("a secret of the tests, of forty-some bytes!!"))
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
