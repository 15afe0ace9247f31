package jwtauth_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func TestVerifyRefusesAlgorithm(t *testing.T) {
	const reason = `header "alg" is not "HS256"`
	for _, alg := range []string{`"none"`, `"nOnE"`, `""`, `1`, `null`, `["HS256"]`, `"hs256"`, `"HS256 "`, `"HS384"`, `"HS512"`, `"RS256"`} {
		t.Run(alg, func(t *testing.T) {
			refused(t, seal(secret, `{"alg":`+alg+`,"typ":"JWT"}`, payload()), jwtauth.ErrInvalid, reason)
		})
	}
	t.Run("missing", func(t *testing.T) {
		refused(t, seal(secret, `{"typ":"JWT"}`, payload()), jwtauth.ErrInvalid, `header "alg" is missing`)
	})
}

// Each key accepts its own algorithm and no other, though the secret is the same.
func TestVerifyBindsAlgorithmToKey(t *testing.T) {
	methods := []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512}
	for _, signer := range methods {
		token, err := jwt.NewWithClaims(signer, jwt.MapClaims{"api_key": apiKey, "exp": now.Unix() + 1}).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		for _, verifier := range methods {
			_, err := newVerifier(t, verifier.Alg()).Verify(token, now)
			if signer == verifier && err != nil {
				t.Errorf("%s refused its own token: %v", verifier.Alg(), err)
			}
			if signer != verifier {
				checkRefusal(t, err, jwtauth.ErrInvalid, `header "alg" is not "`+verifier.Alg()+`"`)
			}
		}
	}
}

func TestVerifyRefusesHeader(t *testing.T) {
	const (
		typ  = `header "typ" is neither "JWT" nor "at+jwt"`
		text = `header "kid" is not a string`
	)
	for _, tt := range []struct{ member, reason string }{
		{`"crit":["exp"]`, `header "crit" is not supported`},
		{`"crit":[]`, `header "crit" is not supported`},
		{`"CRIT":["b64"]`, `header "crit" is not supported`},
		{`"b64":false`, `header "b64" is not supported`},
		{`"b64":true`, `header "b64" is not supported`},
		{`"zip":"DEF"`, `header "zip" is not supported`},
		{`"enc":"A128GCM"`, `header "enc" is not supported`},
		{`"cty":"JWT"`, `header "cty" is not supported`},
		{`"jku":"https://evil.example/keys"`, `header "jku" is not supported`},
		{`"jwk":{"kty":"oct","k":"AA"}`, `header "jwk" is not supported`},
		{"\"jw\u212a\":{}", `header "jwk" is not supported`},
		{`"x5u":"https://evil.example/cert"`, `header "x5u" is not supported`},
		{`"x5c":[]`, `header "x5c" is not supported`},
		{`"x5t":""`, `header "x5t" is not supported`},
		{`"x5t#s256":""`, `header "x5t#S256" is not supported`},
		{`"kid":"2027-01"`, `header "kid" names no known key`},
		{`"kid":""`, `header "kid" names no known key`},
		{`"kid":"` + strings.Repeat("é", 64) + `"`, `header "kid" names no known key`},
		{`"kid":"` + strings.Repeat("k", 65) + `"`, `header "kid" is longer than 64 characters`},
		{`"kid":1`, text},
		{`"kid":null`, text},
		{`"kid":{"a":1}`, text},
		{`"Kid":"a"`, `a header member differs from "kid" only in case`},
		{`"ALG":"none"`, `a header member differs from "alg" only in case`},
		{`"Typ":"JWT"`, `a header member differs from "typ" only in case`},
		{`"typ":"JWE"`, typ},
		{`"typ":null`, typ},
		{`"typ":["JWT"]`, typ},
		{`"alg":"HS256"`, `header: duplicate member name`},
		{`"\u0061lg":"HS256"`, `header: duplicate member name`},
		{`"x":1,"x":2`, `header: duplicate member name`},
	} {
		t.Run(tt.member, func(t *testing.T) {
			refused(t, seal(secret, `{"alg":"HS256",`+tt.member+`}`, payload()), jwtauth.ErrInvalid, tt.reason)
		})
	}
}
