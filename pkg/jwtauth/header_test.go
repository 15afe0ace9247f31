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
		{`"jku":"https://evil.example/keys"`, `header "jku" is not supported`},
		{`"jwk":{"kty":"oct","k":"AA"}`, `header "jwk" is not supported`},
		{"\"jw\u212a\":{}", `header "jwk" is not supported`},
		{`"x5u":"https://evil.example/cert"`, `header "x5u" is not supported`},
		{`"x5c":[]`, `header "x5c" is not supported`},
		{`"kid":"2027-01"`, `header "kid" names an unknown key`},
		{`"kid":""`, `header "kid" names an unknown key`},
		{`"kid":"` + strings.Repeat("é", 64) + `"`, `header "kid" names an unknown key`},
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
		{`"alg":"HS256"`, `header: duplicate member name "alg"`},
		{`"\u0061lg":"HS256"`, `header: duplicate member name "alg"`},
		{`"crit":0,"crit":0`, `header "crit" is not supported`},
		{`"x":1,"x":2`, `header: duplicate member name`},
	} {
		t.Run(tt.member, func(t *testing.T) {
			refused(t, seal(secret, `{"alg":"HS256",`+tt.member+`}`, payload()), jwtauth.ErrInvalid, tt.reason)
		})
	}
}

// Members that issuers send, or attackers, with the reason for what becomes of each.
func TestHeaderMembers(t *testing.T) {
	for _, tt := range []struct{ member, refused, why string }{
		{`"x5t":"NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg"`, "", "a thumbprint names a certificate; kid alone chooses the key"},
		{`"x5t#S256":"aGVsbG8"`, "", "likewise"},
		{`"x5t":7`, "", "nobody reads it, so its kind does not count either"},
		{`"cty":"JWT"`, "", "it describes the payload, which must be an object of claims whatever it is called"},
		{`"nonce":"AQABAAAAAAD"`, "", "Entra's; it asks for nothing"},
		{`"ver":"2.0"`, "", "unknown: RFC 7515, section 4, says to ignore it"},
		{`"CTY":"JWT"`, "", "no reader takes it for a member that counts"},

		{`"crit":["exp"]`, "crit", "it demands extensions to be understood, and none is here"},
		{`"b64":false`, "b64", "the payload would not be base64url"},
		{`"zip":"DEF"`, "zip", "the payload would be compressed"},
		{`"enc":"A128GCM"`, "enc", "it would be an encrypted token"},
		{`"jku":"https://evil.example/keys"`, "jku", "it points to keys that the sender chose"},
		{`"x5u":"https://evil.example/cert"`, "x5u", "it points to a certificate that the sender chose"},
		{`"jwk":{"kty":"oct","k":"AA"}`, "jwk", "it brings its key along"},
		{`"x5c":["MIIB"]`, "x5c", "it brings its certificate along"},
	} {
		t.Run(tt.member, func(t *testing.T) {
			token := seal(secret, `{"alg":"HS256",`+tt.member+`,"typ":"JWT"}`, payload())
			if tt.refused == "" {
				accepted(t, token)
				return
			}
			refused(t, token, jwtauth.ErrInvalid, `header "`+tt.refused+`" is not supported`)
		})
	}
}

// A thumbprint, even of a key that there is, chooses none.
func TestThumbprintChoosesNoKey(t *testing.T) {
	old, err := newKey(t, "HS256").WithID("old")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwtauth.NewVerifier(old)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(seal(secret, `{"alg":"HS256","x5t":"old","x5t#S256":"old"}`, payload()), now)
	checkRefusal(t, err, jwtauth.ErrInvalid, `header "kid" is missing`)
}
