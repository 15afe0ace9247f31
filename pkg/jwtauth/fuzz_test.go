package jwtauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// FuzzVerify holds the verifier against golang-jwt's parser. Texts without a
// given signature are signed, so that what lies behind the signature is reached.
func FuzzVerify(f *testing.F) {
	f.Add(header, payload(), "", true)
	f.Add(header, payload(), "AAAA", false)
	f.Add(`{"alg":"none"}`, payload(), "", false)
	f.Add(`{"typ":"at+jwt","alg":"HS256","x":[1]}`, payload(`"nbf":1800000060`), "", true)
	f.Add(`{"alg":"HS256","crit":["x"]}`, `{"exp":1,"EXP":9999999999}`, "", true)
	f.Add(header, `{"api_key":"\u0063`+apiKey[1:]+`","exp":253402300799,"sub":"\ud83d\ude00"}`, "", true)
	f.Add("", "", "..", false)

	v := newVerifier(f, "HS256")
	remembering := v.Remember(3)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithJSONNumber(), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(time.Minute), jwt.WithTimeFunc(func() time.Time { return now }))
	f.Fuzz(func(t *testing.T, header, payload, signature string, sign bool) {
		token := encode(header) + "." + encode(payload) + "." + signature
		if sign {
			token = seal(secret, header, payload)
		}
		got, err := v.Verify(token, now)
		for range 2 {
			again, againErr := remembering.Verify(token, now)
			if again != got || fmt.Sprint(againErr) != fmt.Sprint(err) {
				t.Fatalf("%q: %+v, %v with a memory, %+v, %v without", token, again, againErr, got, err)
			}
		}
		parsed, theirs := parser.Parse(token, func(*jwt.Token) (any, error) { return []byte(secret), nil })
		if err != nil {
			if got != (jwtauth.Token{}) || errors.Is(err, jwtauth.ErrInvalid) == errors.Is(err, jwtauth.ErrExpired) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if strings.Contains(err.Error(), "signature does not match") && theirs == nil {
				t.Fatalf("golang-jwt accepts the signature of %q", token)
			}
			return
		}
		if theirs != nil {
			t.Fatalf("%q was accepted, but golang-jwt says: %v", token, theirs)
		}
		claims, _ := parsed.Claims.(jwt.MapClaims)
		exp, _ := claims["exp"].(json.Number)
		seconds, err := exp.Int64()
		if err != nil || seconds != got.Expires.Unix() || claims["api_key"] != got.APIKey {
			t.Fatalf("%q established %+v, but golang-jwt reads %v", token, got, claims)
		}
		if !got.Expires.After(now) || !jwtauth.ValidAPIKey(got.APIKey) {
			t.Fatalf("%q established %+v", token, got)
		}
		if _, _, err := jwtauth.Peek(token); err != nil {
			t.Fatalf("%q was accepted, but not shown: %v", token, err)
		}
	})
}

func FuzzPeek(f *testing.F) {
	f.Add(seal(secret, header, payload()))
	f.Add("e30.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		head, claims, err := jwtauth.Peek(token)
		if err != nil {
			if head != nil || claims != nil || !errors.Is(err, jwtauth.ErrInvalid) {
				t.Fatalf("got %q, %q, %v", head, claims, err)
			}
			return
		}
		_, signature, _ := strings.Cut(token, ".")
		_, signature, _ = strings.Cut(signature, ".")
		if again := encode(string(head)) + "." + encode(string(claims)) + "." + signature; again != token {
			t.Fatalf("%q is a second spelling of %q", token, again)
		}
	})
}
