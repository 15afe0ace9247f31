package jsonobject

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestCheckNames(t *testing.T) {
	known := []string{"rate_limit", "exp"}
	for text, sound := range map[string]bool{
		`{}`:                                true,
		`{"rate_limit":1,"exp":2}`:          true,
		` { "rate_limit" : 1 , "other":2 }`: true,
		`{"a":{"x":1,"x":2,"EXP":1}}`:       true, // not ours
		`{"a":[{"exp":1},"exp","exp"],"exp":"rate_limit"}`: true,
		`{"Other":1,"other":2}`:                            true, // other programs' own
		`{"a\"":1,"a":"\\","b":"\"","exp":1}`:              true,
		`{"rate_limit":1,"rate_limit":1}`:                  false,
		`{"rate_limit":1,"rate_\u006cimit":2}`:             false,
		`{"rate_limit":1,"RATE_LIMIT":2}`:                  false,
		`{"Rate_Limit":2}`:                                 false,
		`{"e\u0078P":2}`:                                   false,
		`{"other":1,"a":{"b":[]},"other":2}`:               false,
		`{"a":"\\","a":1}`:                                 false,
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s is not valid", text)
		}
		if err := CheckNames(text, known); (err == nil) != sound || err != nil && !errors.Is(err, ErrNames) {
			t.Errorf("%s: %v, want sound %t", text, err, sound)
		}
	}
}

// Every name that encoding/json sees is seen.
func FuzzNames(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":[1,"}",{"d":2}]},"\u0061\"":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		members, err := Members(text)
		if err != nil {
			return
		}
		i := 0
		for name := range names(text) {
			if i == len(members) || name != members[i].Name {
				t.Fatalf("%q: name %d is %q", text, i, name)
			}
			i++
		}
		if i != len(members) {
			t.Errorf("%q: %d names of %d", text, i, len(members))
		}
	})
}
