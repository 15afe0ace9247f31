package jsonobject

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestMergeKeepsEveryOtherByte(t *testing.T) {
	for _, tt := range []struct{ name, text, change, want string }{
		{"in place", `{"a":1,"b":2}`, `{"a":3}`, `{"a":3,"b":2}`},
		{"at the end", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{"into nothing", `{ }`, `{"b":2,"c":3}`, `{"b":2,"c":3 }`},
		{"numbers, order and nesting of others", `{"z":10.0,"a":1e3,"n":{"a":[1,{"a":2}]},"b":1}`, `{"b":2}`, `{"z":10.0,"a":1e3,"n":{"a":[1,{"a":2}]},"b":2}`},
		{"white space", "{\n  \"a\" : 1 ,\n  \"b\" : \"x\"\n}\n", `{"a":[2],"c":"y"}`, "{\n  \"a\" : [2] ,\n  \"b\" : \"x\",\"c\":\"y\"\n}\n"},
		{"another case", `{"A":1}`, `{"a":2}`, `{"A":2}`},
		{"said twice", `{"a":1,"b":0,"a":2}`, `{"a":3}`, `{"a":3,"b":0,"a":3}`},
		{"escaped names", `{"\u0061":1,"\"":2}`, `{"a":3}`, `{"\u0061":3,"\"":2}`},
		{"no change", `{"a":1}`, `{}`, `{"a":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Merge(tt.text, tt.change); err != nil || got != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestMergeRefusesWhatIsNoObject(t *testing.T) {
	for _, text := range []string{``, `null`, `[]`, `1`, `{`, `{"a":1}x`, `{"a":1,}`, `{"a" 1}`, `"{}"`} {
		if got, err := Merge(text, `{"a":1}`); !errors.Is(err, ErrNoObject) {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":[2.0]}}`)
	f.Add("{ \"rate_limit\"\t:10.0 }")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Merge(text, `{"rate_limit":7}`)
		if err != nil {
			return
		}
		var read struct {
			Limit int `json:"rate_limit"`
		}
		if err := json.Unmarshal([]byte(got), &read); err != nil || read.Limit != 7 {
			t.Errorf("%s became %s: %v", text, got, err)
		}
		before, _ := Members(text)
		after, _ := Members(got)
		for i, m := range before {
			if after[i].Name != m.Name || !strings.EqualFold(m.Name, "rate_limit") && string(after[i].Value) != string(m.Value) {
				t.Errorf("%s became %s", text, got)
			}
		}
	})
}
