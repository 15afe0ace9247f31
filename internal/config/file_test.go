package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestNotJSON(t *testing.T) {
	for _, tt := range []struct {
		name, file, want string
	}{
		{"blank", " ", "config.json:1:1: not JSON: unexpected end of JSON input"},
		{"cut off", "{\n\"log\": {\"level\": \"Info\"}", "config.json:2:24: not JSON: unexpected end of JSON input"},
		{"trailing comma", "{\n  \"log\": {},\n}", "config.json:3:1: not JSON: unexpected character looking for beginning of object key string"},
		{"trailing data", "{}\n{}", "config.json:2:1: not JSON: unexpected character after top-level value"},
		{"a comment", "{\n// ä\n}", "config.json:2:1: not JSON: unexpected character looking for beginning of object key string"},
		{"column in characters", `{"ä":x}`, "config.json:1:6: not JSON: unexpected character looking for beginning of value"},
		{"misspelt literal", `{"a":trie}`, "config.json:1:8: not JSON: unexpected character in literal true (expecting 'u')"},
		{"a quotation mark too many", `{"redis":{"password":"ab"Xcd"}}`, "config.json:1:26: not JSON: unexpected character after object key:value pair"},
		{"not UTF-8", "{\"log\":\n\"\xff\"}", "config.json:2:2: not JSON: not UTF-8"},
		{"too deep", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "config.json:1:10001: not JSON: unexpected character exceeded max depth"},
		{"a list", `[]`, "config.json:1:1: must be an object, not a list"},
		{"null", `null`, "config.json:1:1: must be an object, not null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inDir(t, tt.file)
			_, err := Load(Source{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("Load: %v, want %s", err, tt.want)
			}
			if _, ok := errors.AsType[*Faults](err); ok {
				t.Error("is *Faults, which is for what a JSON file says")
			}
		})
	}
}

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ``, `{"log":{"level":"Info","LEVEL":null}}`, `{"redis":{"addrs":["a:1",2,"x,y"]}}`,
		`{"application":{"port":1e400,"max_body":"9999999999GiB","trusted_proxies":["::/0"]}}`,
		`{"application.port":1,"":{"":{}},"redis":[]}`, `{"server_timeouts":{"readTimeout":-0}} x`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		faults := &Faults{}
		l := &layer{OriginFile, map[string]any{}, faults}
		if err := l.readJSON(content); err != nil {
			if len(l.values) > 0 || len(faults.List) > 0 {
				t.Errorf("an error, %v, and yet values or faults", err)
			}
			return
		}
		var members map[string]any
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		if err := decoder.Decode(&members); err != nil {
			t.Fatalf("taken for a JSON object: %v", err)
		}
		for _, fault := range faults.List {
			if fault.Text == "" || strings.ContainsAny(fault.String(), "\n\r\x00") {
				t.Errorf("fault %q is not one line of text", fault)
			}
		}
		for key, v := range l.values {
			g, ok := v.(given)
			if o := find(key); !ok || o == nil || o.set(new(Config), g.text) != nil {
				t.Errorf("%s: kept %v, which is not sound", key, v)
			}
		}
		if len(members) > 0 && len(faults.List) == 0 && len(l.values) == 0 && !emptyGroups(members) {
			t.Error("members that left neither value nor fault")
		}
	})
}

// emptyGroups reports whether there is nothing but objects all the way down.
func emptyGroups(members map[string]any) bool {
	for _, member := range members {
		inner, ok := member.(map[string]any)
		if !ok || !emptyGroups(inner) {
			return false
		}
	}
	return true
}
