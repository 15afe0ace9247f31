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
		{"blank", " ", "config.json:1:1: the file is empty; it must hold a JSON object, at least {}"},
		{"cut off", "{\n\"log\": {\"level\": \"Info\"}", "config.json:2:24: not JSON: the file ends too early; a closing brace, bracket or quotation mark is missing"},
		{"trailing comma", "{\n  \"log\": {},\n}", "config.json:3:1: not JSON: a comma stands before this closing brace; remove the comma"},
		{"trailing data", "{}\n{}", "config.json:2:1: not JSON: the object ends before this; remove what follows it"},
		{"a comment", "{\n// ä\n}", "config.json:2:1: not JSON: JSON has no comments; remove it"},
		{"column in characters", `{"ä":x}`, "config.json:1:6: not JSON: a value is expected here: text in double quotes, a number, true, false, a list or an object"},
		{"misspelt literal", `{"a":trie}`, "config.json:1:8: not JSON: text must stand in double quotes; only true, false, null and numbers stand without"},
		{"a quotation mark too many", `{"redis":{"password":"ab"Xcd"}}`, `config.json:1:26: not JSON: a comma or a closing brace is expected here; a quotation mark within text is written \"`},
		{"not UTF-8", "{\"log\":\n\"\xff\"}", "config.json:2:2: not UTF-8; save the file as UTF-8"},
		{"too deep", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "config.json:1:10001: not JSON: objects and lists are nested too deeply"},
		{"empty", "\ufeff\r\n", "config.json:1:1: the file is empty; it must hold a JSON object, at least {}"},
		{"comma in a list", `{"a":[1,]}`, "config.json:1:9: not JSON: a comma stands before this closing bracket; remove the comma"},
		{"a name without quotes", `{a:1}`, "config.json:1:2: not JSON: a name in double quotes is expected here"},
		{"no colon", `{"a" 1}`, "config.json:1:6: not JSON: a colon is expected here"},
		{"no comma in a list", `[1 2]`, `config.json:1:4: not JSON: a comma or a closing bracket is expected here; a quotation mark within text is written \"`},
		{"two lines of text", "{\"a\":\"x\ny\"}", `config.json:1:8: not JSON: text must not hold a line break or another control character; write \n for a line break`},
		{"a backslash", `{"a":"C:\x"}`, "config.json:1:10: not JSON: a backslash in text must be written twice"},
		{"a cut code", `{"a":"\u12"}`, `config.json:1:11: not JSON: \u needs four hexadecimal digits`},
		{"a number", `{"a":01}`, "config.json:1:7: not JSON: a comma or a closing brace is expected here; a quotation mark within text is written \\\""},
		{"a number cut off", `{"a":-}`, "config.json:1:7: not JSON: this is not a number as JSON writes it"},
		{"a fraction cut off", `{"a":1.}`, "config.json:1:8: not JSON: this is not a number as JSON writes it"},
		{"column behind a byte order mark", "\ufeff{x}", "config.json:1:2: not JSON: a name in double quotes is expected here"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "config.json:1:1: the file is UTF-16, as PowerShell's > writes it; save it as UTF-8"},
		{"UTF-16, big end first", "\xfe\xff\x00{\x00}", "config.json:1:1: the file is UTF-16, as PowerShell's > writes it; save it as UTF-8"},
		{"UTF-16 without a mark", "{\x00}\x00", "config.json:1:1: the file is UTF-16; save it as UTF-8"},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00", "config.json:1:1: the file is UTF-32; save it as UTF-8"},
		{"YAML", "# tykctl\n\napplication:\n  port: 8080\n", "config.json:1:1: not JSON: this is YAML; write it as JSON, as in the config.json that is shipped"},
		{"YAML's marker", "---\n- 1\n", "config.json:1:1: not JSON: this is YAML; write it as JSON, as in the config.json that is shipped"},
		{"a list of YAML", "- name: x\n", "config.json:1:1: not JSON: this is YAML; write it as JSON, as in the config.json that is shipped"},
		{"TOML", "[application]\nport = 8080\n", "config.json:1:1: not JSON: this is TOML; write it as JSON, as in the config.json that is shipped"},
		{"TOML without a table", "port = 8080\n", "config.json:1:1: not JSON: this is TOML; write it as JSON, as in the config.json that is shipped"},
		{"an environment file", "# x\nexport TYK_PROX_REDIS__PASSWORD=" + canary + "\n",
			"config.json:1:1: not JSON: this is a list of environment variables; load them into the environment (set -a; . ./FILE) and pass --env"},
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

func TestByteOrderMark(t *testing.T) {
	inDir(t, "\ufeff"+`{"application":{"port":1}}`)
	if c := mustLoad(t, Source{}); c.Application.Port != 1 {
		t.Errorf("port %d, want 1", c.Application.Port)
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
