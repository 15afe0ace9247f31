package jwtauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// read returns the members of an object as "name=kind:value", and the reader's
// error. The values of lists and objects are left out.
func read(text string) (string, error) {
	r := objectReader{buf: []byte(text)}
	var members []string
	for r.next() {
		value := r.value()
		if r.kind() == '{' || r.kind() == '[' {
			value = nil
		}
		members = append(members, fmt.Sprintf("%s=%c:%s", r.name(), r.kind(), value))
	}
	if r.next() {
		return "", errors.New("the reader went on after its end")
	}
	return strings.Join(members, " "), r.err()
}

func TestObjectReader(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{}`, ``},
		{" { } \r\n\t", ``},
		{`{"a":1}`, `a=0:1`},
		{` { "a" : 1 , "b" : 2 } `, `a=0:1 b=0:2`},
		{`{"":""}`, `=":`},
		{`{"a":"b"}`, `a=":b`},
		{`{"\"\\\/\b\f\n\r\t":"\"\\\/\b\f\n\r\t"}`, "\"\\/\b\f\n\r\t=\":\"\\/\b\f\n\r\t"},
		{`{"\u0061":"\u00e9\u20ac\uD83D\uDE00x"}`, `a=":é€😀x`},
		{`{"\u0000":"\u001f"}`, "\x00=\":\x1f"},
		{`{"é":"😀"}`, `é=":😀`},
		{`{"a":true,"b":false,"c":null}`, `a=t:true b=f:false c=n:null`},
		{`{"a":0,"b":-0,"c":10.50,"d":1e5,"e":-1.5E+3,"f":2e-07}`, `a=0:0 b=-:-0 c=0:10.50 d=0:1e5 e=-:-1.5E+3 f=0:2e-07`},
		{`{"a":[],"b":{},"c":[1,[2,{"a":[]}],"]}"],"d":{"a":{"a":1},"a":"\u007d"},"e":1}`, `a=[: b={: c=[: d={: e=0:1`},
	} {
		got, err := read(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", tt.text, got, err, tt.want)
		}
	}
}

func TestObjectReaderRefuses(t *testing.T) {
	for _, tt := range []struct {
		text  string
		fault fault
		at    int
	}{
		{``, faultSyntax, 0},
		{` `, faultSyntax, 1},
		{`{`, faultSyntax, 1},
		{`}`, faultSyntax, 0},
		{`[]`, faultSyntax, 0},
		{`{}x`, faultSyntax, 2},
		{`{,}`, faultSyntax, 1},
		{`{"a"}`, faultSyntax, 4},
		{`{"a":}`, faultSyntax, 5},
		{`{"a":1,}`, faultSyntax, 7},
		{`{"a":1 "b":2}`, faultSyntax, 7},
		{`{a:1}`, faultSyntax, 1},
		{`{'a':1}`, faultSyntax, 1},
		{`{"a":01}`, faultSyntax, 6},
		{`{"a":+1}`, faultSyntax, 5},
		{`{"a":.5}`, faultSyntax, 5},
		{`{"a":5.}`, faultSyntax, 7},
		{`{"a":-}`, faultSyntax, 6},
		{`{"a":1e}`, faultSyntax, 7},
		{`{"a":1e+-1}`, faultSyntax, 8},
		{`{"a":tru}`, faultSyntax, 5},
		{`{"a":truex}`, faultSyntax, 9},
		{`{"a":NULL}`, faultSyntax, 5},
		{`{"a":[1,]}`, faultSyntax, 8},
		{`{"a":[1}`, faultSyntax, 7},
		{`{"a":{"b":1]`, faultSyntax, 11},
		{`{"a":{1:1}}`, faultSyntax, 6},
		{`{"a":{"b" 1}}`, faultSyntax, 10},
		{`{"a":"`, faultSyntax, 6},
		{"{\"a\":\"\n\"}", faultSyntax, 6},
		{"{\"a\":\"\x00\"}", faultSyntax, 6},
		{"{\"a\":\"\x1f\"}", faultSyntax, 6},
		{`{"a":"\`, faultSyntax, 7},
		{`{"a":"\x"}`, faultSyntax, 7},
		{`{"a":"\u12`, faultSyntax, 7},
		{`{"a":"\u12g4"}`, faultSyntax, 7},
		{`{"a":"\u+123"}`, faultSyntax, 7},
		{`{"a":1/*b*/}`, faultSyntax, 6},
		{"{\"a\":1}\x00", faultSyntax, 7},
		{"\xef\xbb\xbf{}", faultSyntax, 0},
		{"{}\xff", faultUTF8, 0},
		{`{"a":"\ud800"}`, faultSurrogate, 12},
		{`{"a":"\ud800\n"}`, faultSurrogate, 13},
		{`{"a":"\ud800\ud800"}`, faultSurrogate, 18},
		{`{"a":"\ud800\u12"}`, faultSyntax, 13},
		{`{"a":"\udc00\ud800"}`, faultSurrogate, 18},
		{`{"a":1,"a":2}`, faultDuplicate, 10},
		{`{"a":1,"b":2,"\u0061":3}`, faultDuplicate, 21},
		{`{"":1,"":2}`, faultDuplicate, 8},
	} {
		_, err := read(tt.text)
		if want := fmt.Sprintf("%s at byte %d", tt.fault, tt.at); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", tt.text, err, want)
		}
	}
}

// Whatever the reader says, it must agree with encoding/json: on what is an
// object, on each name and value, and on whether more than grammar was at fault.
func FuzzObjectReader(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"b":"c","d":[true,{"e":null}]}`, ` {"a" : -1.5e+3 } `, `{"\u0061\ud83d\ude00":"\"\\\/\n"}`,
		`{"a":1,"\u0061":2}`, `{"a":"\ud800"}`, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		"{\"\xff\":0}", `{"a":tru}`, `[{}]`, `{"a":01}`, `{}{}`, `"{}"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := objectReader{buf: []byte(text)}
		got := make(map[string]string)
		for r.next() {
			value, err := json.Marshal(string(r.value()))
			if r.kind() != '"' {
				value, err = bytes.Clone(r.value()), nil
			}
			if err != nil {
				t.Fatal(err)
			}
			got[string(r.name())] = string(value)
		}
		if r.fault != 0 {
			grammatical := json.Valid([]byte(text)) && utf8.ValidString(text) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
			if r.fault == faultSyntax && grammatical {
				t.Fatalf("%q was refused: %v", text, r.err())
			}
			return
		}
		agree(t, text, got)
	})
}

// agree compares an accepted object's members with those of encoding/json.
func agree(t *testing.T, text string, got map[string]string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatalf("%q was accepted", text)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatalf("%q was accepted, but %v", text, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%q has %d members, not %d", text, len(want), len(got))
	}
	for name, raw := range want {
		value, ok := got[name]
		if !ok {
			t.Fatalf("%q has a member %q", text, name)
		}
		var inner any
		if err := json.Unmarshal(raw, &inner); err != nil && raw[0] != '-' && !isDigit(raw[0]) {
			t.Fatal(err) // a number may be out of float64's range
		}
		switch s, isText := inner.(string); {
		case isText:
			if again, err := json.Marshal(s); err != nil || string(again) != value {
				t.Fatalf("%q: member %q is %s, not %s", text, name, again, value)
			}
		case raw[0] != '{' && raw[0] != '[' && string(raw) != value:
			t.Fatalf("%q: member %q is %s, not %s", text, name, raw, value)
		}
	}
}
