package jwtauth_test

import (
	"strings"
	"testing"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func TestPeekShowsWhatIsNotTrue(t *testing.T) {
	for _, tt := range []struct{ name, header, payload, signature string }{
		{"no signature", `{"alg":"none"}`, payload(), ""},
		{"wrong signature", header, payload(), "AAAA"},
		{"white space kept", " {} ", "{ \"a\":\t1 }\n", ""},
		{"duplicates kept", header, `{"exp":1,"exp":2,"EXP":3}`, ""},
		{"not objects", `1`, `[null]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head, body, err := jwtauth.Peek(encode(tt.header) + "." + encode(tt.payload) + "." + tt.signature)
			if err != nil {
				t.Fatal(err)
			}
			if string(head) != tt.header || string(body) != tt.payload {
				t.Errorf("got %q, %q", head, body)
			}
		})
	}
}

func TestPeekRefuses(t *testing.T) {
	head, body := encode(header), encode(payload())
	for _, tt := range []struct{ name, token, reason string }{
		{"empty", "", "not three parts separated by dots"},
		{"an API key", apiKey, "not three parts separated by dots"},
		{"five parts", head + "." + body + "...", "not three parts separated by dots"},
		{"too large", strings.Repeat("a", 8193), "larger than 8192 bytes"},
		{"padding", head + "=." + body + ".", "header is not canonical base64url"},
		{"line break", head + "." + body + "\n.", "payload is not canonical base64url"},
		{"signature", head + "." + body + ".A", "signature is not canonical base64url"},
		{"header", encode("{") + "." + body + ".", "header is not JSON"},
		{"payload", head + "." + encode("{}{}") + ".", "payload is not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head, body, err := jwtauth.Peek(tt.token)
			if head != nil || body != nil {
				t.Errorf("a refused token showed %q, %q", head, body)
			}
			checkRefusal(t, err, jwtauth.ErrInvalid, tt.reason)
		})
	}
}
