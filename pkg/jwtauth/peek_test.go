package jwtauth_test

import (
	"errors"
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
		{"too large", strings.Repeat("a", 16385), "larger than 16384 bytes"},
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

func TestCheckClaimsIsVerifyWithoutTheSignature(t *testing.T) {
	forged := func(payload string) string { return encode(`{"alg":"none"}`) + "." + encode(payload) + "." }
	if err := jwtauth.CheckClaims(forged(payload()), now); err != nil {
		t.Errorf("sound claims: %v", err)
	}
	for _, tt := range []struct {
		name, token string
		is          error
		reason      string
	}{
		{"expired", forged(`{"api_key":"` + apiKey + `","exp":1}`), jwtauth.ErrExpired, "since 1970-01-01T00:00:01Z"},
		{"no end", forged(`{"api_key":"` + apiKey + `"}`), jwtauth.ErrClaims, `claim "exp" is missing`},
		{"said twice", forged(`{"exp":1,"exp":2}`), jwtauth.ErrClaims, "payload: "},
		{"no token", "x.y", jwtauth.ErrInvalid, "not three parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := jwtauth.CheckClaims(tt.token, now)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %q", err, tt.reason)
			}
		})
	}
}

// What a signature covers is told apart from what anyone could have written.
func TestErrClaimsMeansThatTheSignatureHolds(t *testing.T) {
	v := newVerifier(t, "HS256")
	sound := `{"api_key":"` + apiKey + `"}` // no exp
	if _, err := v.Verify(seal(secret, header, sound), now); !errors.Is(err, jwtauth.ErrClaims) || !errors.Is(err, jwtauth.ErrInvalid) {
		t.Errorf("a signed token without exp: %v, want ErrClaims", err)
	}
	for _, token := range []string{seal("another secret, of more than 32 bytes!", header, sound), seal(secret, `{"alg":"none"}`, sound)} {
		if _, err := v.Verify(token, now); errors.Is(err, jwtauth.ErrClaims) || !errors.Is(err, jwtauth.ErrInvalid) {
			t.Errorf("a forged token: %v, want ErrInvalid alone", err)
		}
	}
}
