package jwtauth_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// What issuers write into headers and payloads by themselves, with the claims that
// this package asks for added (each offers a way to add some).
func TestTokensOfOtherIssuers(t *testing.T) {
	ours := `"api_key":"` + apiKey + `"`
	for _, tt := range []struct{ issuer, header, payload string }{
		{
			"Auth0, access token",
			`{"alg":"HS256","typ":"JWT","kid":"NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg"}`,
			`{` + ours + `,"https://example.com/roles":["admin"],"iss":"https://example.eu.auth0.com/","sub":"auth0|5f7c8ec7c33c6c004bbafe82",
			"aud":["https://api.example.com","https://example.eu.auth0.com/userinfo"],"iat":1799999990,"exp":1800003600,
			"azp":"my_client_id","scope":"openid profile email","gty":"client-credentials","permissions":["read:all"]}`,
		},
		{
			"Auth0, RFC 9068 profile",
			`{"typ":"at+jwt","alg":"HS256","kid":"NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg"}`,
			`{` + ours + `,"iss":"https://example.eu.auth0.com/","sub":"my_client_id@clients","aud":"https://api.example.com","iat":1799999990,
			"exp":1800003600,"jti":"yLgfNTqXXYDGcnTJ7Rzm3F","client_id":"my_client_id","scope":"read:all"}`,
		},
		{
			"Keycloak",
			`{"alg":"HS256","typ" : "JWT","kid" : "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"}`,
			`{` + ours + `,"exp":1800003600,"iat":1799999990,"auth_time":0,"jti":"onrtac:1d3c8b0c-0f7c-4b1e-9f3a-1f0d4ba5c1a7","iss":"https://sso.example.com/realms/main",
			"aud":"account","sub":"f4c1b1e0-6a70-4ab0-9a8e-4c5f0f6d3c55","typ":"Bearer","azp":"app","sid":"9c5e","acr":"1","allowed-origins":["https://app.example.com"],
			"realm_access":{"roles":["offline_access","uma_authorization"]},"resource_access":{"account":{"roles":["manage-account"]}},
			"scope":"openid email","email_verified":false,"preferred_username":"jos\u00e9"}`,
		},
		{
			"Microsoft Entra ID",
			`{"typ":"JWT","nonce":"AQABAAAAAADCoMpjJXrxTq9VG9te-7FX","alg":"HS256","x5t":"nOo3ZDrODXEK1jKWhXslHR_KXEg","kid":"nOo3ZDrODXEK1jKWhXslHR_KXEg"}`,
			`{` + ours + `,"aud":"api://11112222-3333-4444-5555-666677778888","iss":"https://sts.windows.net/aaaabbbb/","iat":1799999990,"nbf":1799999990,
			"exp":1800003600,"acct":0,"acr":"1","aio":"E2ZgYNDX","amr":["pwd","mfa"],"appid":"11112222","appidacr":"0","groups":["0760b6cf"],
			"oid":"3111c3a7","rh":"0.AX0A","scp":"User.Read","tid":"aaaabbbb","uti":"fqiBqXLPj0eQa82S","ver":"1.0","xms_tcdt":1289241547}`,
		},
		{
			"Amazon Cognito",
			`{"kid":"8vMt0Sm8Ay7q2sKoRj0Y5Bl4Qw=","alg":"HS256"}`,
			`{` + ours + `,"sub":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","device_key":"aaaa","cognito:groups":["admin"],"iss":"https://cognito-idp.us-west-2.amazonaws.com/us-west-2_example",
			"version":2,"client_id":"xxxx","origin_jti":"bbbb","event_id":"64f5","token_use":"access","scope":"phone openid","auth_time":1799999990,"exp":1800003600,"iat":1799999990,"jti":"c","username":"u"}`,
		},
		{
			"Laravel Passport, with fractions",
			`{"typ":"JWT","alg":"HS256"}`,
			`{` + ours + `,"aud":"1","jti":"3a4d7b4c","iat":1799999990.503921,"nbf":1799999990.503928,"exp":1800003600.491817,"sub":"","scopes":["*"]}`,
		},
		{
			"Laravel Passport, in its last microseconds",
			`{"typ":"JWT","alg":"HS256"}`,
			`{` + ours + `,"aud":["1"],"iat":1800000059.000001,"nbf":1800000059.000001,"exp":1800003600.0,"scopes":[]}`,
		},
		{
			"jose (JavaScript), without typ",
			`{"alg":"HS256"}`,
			`{` + ours + `,"urn:example:claim":true,"iat":1799999990,"iss":"urn:example:issuer","aud":"urn:example:audience","exp":1800003600}`,
		},
		{
			"jose (JavaScript), Date.now()/1000",
			`{"alg":"HS256","typ":"jwt"}`,
			`{` + ours + `,"iat":1799999990.123,"exp":1800003600.123}`,
		},
		{
			"an access token with its type in full",
			`{"alg":"HS256","typ":"application/at+jwt"}`,
			`{` + ours + `,"exp":1800003600}`,
		},
		{
			"a certificate's thumbprint by SHA-256, as ADFS and IdentityServer write it",
			`{"alg":"HS256","x5t#S256":"aXBhc3MgdGhpcyBvbg","x5t":"aXBhc3M","typ":"at+jwt","cty":"JWT"}`,
			`{` + ours + `,"nbf":1799999990,"exp":1800003600,"aud":["a","b"],"scope":["x","y"]}`,
		},
	} {
		t.Run(tt.issuer, func(t *testing.T) {
			var named struct{ Kid string }
			if err := json.Unmarshal([]byte(tt.header), &named); err != nil {
				t.Fatal(err)
			}
			key := newKey(t, "HS256")
			if named.Kid != "" {
				key = must(key.WithID(named.Kid))
			}
			got, err := must(jwtauth.NewVerifier(key)).Verify(seal(secret, tt.header, tt.payload), now)
			if want := (jwtauth.Token{APIKey: apiKey, Expires: now.Add(time.Hour)}); err != nil || got != want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
