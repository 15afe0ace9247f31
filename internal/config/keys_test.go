package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenKeys(t *testing.T) {
	const list = `[
		{"kid":"2027-01","algorithm":"HS512","secret":"` + canary + `","retire_at":"2027-03-01T00:00:00Z"},
		{"KID":"2027-02","Algorithm":"eddsa","file":"/run/key.pem","not_before":"2027-02-01T00:00:00+01:00"}]`
	want := []TokenKey{
		{ID: "2027-01", Algorithm: "HS512", Secret: NewSecret(canary), RetireAt: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)},
		{ID: "2027-02", Algorithm: "EdDSA", File: "/run/key.pem", NotBefore: time.Date(2027, 1, 31, 23, 0, 0, 0, time.UTC)},
	}
	inDir(t, `{"application":{"token":{"keys":`+list+`}}}`)
	for name, src := range map[string]Source{
		"file": {},
		"env":  {NoFile: true, Env: []string{"TYK_PROX_APPLICATION__TOKEN__KEYS=" + list}},
		"flag": {NoFile: true, Flags: map[string]string{"application.token.keys": list}},
	} {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, src)
			compareSecrets := cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() })
			if diff := cmp.Diff(want, c.Application.Token.Keys, compareSecrets); diff != "" {
				t.Error(diff)
			}
			for _, v := range c.Values() {
				if v.Key != "application.token.keys" {
					continue
				}
				const shown = `[{"kid":"2027-01","algorithm":"HS512","secret":"[redacted]","retire_at":"2027-03-01T00:00:00Z"},` +
					`{"kid":"2027-02","algorithm":"EdDSA","file":"/run/key.pem","not_before":"2027-02-01T00:00:00+01:00"}]`
				if v.Text != shown {
					t.Errorf("shown as %s", v.Text)
				}
			}
		})
	}
}

func TestTokenKeyFaults(t *testing.T) {
	key := func(members string) string {
		return `{"kid":"a","algorithm":"HS256","secret":"` + canary + `"` + members + `}`
	}
	for _, tt := range []struct{ keys, want string }{
		{`{}`, `: must be a JSON list of objects with kid, algorithm, secret or file, and optionally not_before and retire_at, not an object`},
		{`["` + canary + `",null]`, `[0]: must be an object, not a string
[1]: must be an object, not null`},
		{`[` + key("") + `,{"kid":"b"},{}]`, `[1].algorithm: is required; set HS256, ES256 or another
[2].kid: is required; a key without a kid is set by application.token.jwt_secret`},
		{`[` + key("") + `,` + key("") + `]`, `[1].kid: is the kid of another key, too; each key needs its own`},
		{`[` + key(`,"KID":"b","sekret":"`+canary+`","not_after":1`) + `]`, `[0].KID: is set twice (letter case does not matter); remove one
[0].sekret: unknown key; did you mean secret?
[0].not_after: unknown key`},
		{`[{"kid":7,"algorithm":"HS1","secret":"` + canary[:20] + `","not_before":"tomorrow","file":[]}]`, `[0].kid: must be a text of 1 to 64 characters without control characters, not a number
[0].algorithm: must be HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA, not "HS1"
[0].secret: is too weak: it is shorter than 32 bytes, or repeats one byte; ` + "`tykctl secret`" + ` prints a strong one
[0].not_before: must be a time such as "2027-01-15T08:00:00Z" (RFC 3339), not "tomorrow"
[0].file: must be the path of a file, not a list`},
		{`[` + key(`,"file":"x"`) + `]`, `[0].file: must not be set together with secret; keep one`},
		{`[{"kid":"a","algorithm":"ES256","secret":"` + canary + `"}]`, `[0].secret: must not be set for ES256; set file to the path of a key in PEM`},
		{`[{"kid":"a","algorithm":"HS256"},{"kid":"b","algorithm":"PS256"}]`, `[0].secret: is required; set it, or set file to the path of a file that holds it
[1].file: is required; set it to the path of a key in PEM`},
		{`[{"kid":"a","algorithm":"HS256","secret":"` + ExampleSecret + `"}]`, "[0].secret: is the published example; make one with `tykctl secret`"},
		{`[` + key(`,"not_before":"2027-01-01T00:00:00Z","retire_at":"2027-01-01T00:00:00Z"`) + `]`, `[0].retire_at: must be after not_before`},
	} {
		inDir(t, `{"application":{"token":{"keys":`+tt.keys+`}}}`)
		_, err := Load(Source{Require: []string{"application.token.jwt_secret|application.token.keys"}})
		if err == nil {
			t.Errorf("%s is accepted", tt.keys)
			continue
		}
		_, got, _ := strings.Cut(err.Error(), "\n  ")
		want := "application.token.keys" + strings.ReplaceAll(tt.want, "\n", "\n  application.token.keys")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.keys, diff)
		}
		if shows(err.Error()) {
			t.Errorf("the secret is shown: %v", err)
		}
	}
}

func TestTokenKeysInTheEnvironment(t *testing.T) {
	for text, want := range map[string]string{
		`[{"kid":"a","algorithm":"HS256"}]`: "configuration: 1 fault:\n  application.token.keys[0].secret (TYK_PROX_APPLICATION__TOKEN__KEYS): is required; set it, or set file to the path of a file that holds it",
		canary: "configuration: 1 fault:\n  application.token.keys (TYK_PROX_APPLICATION__TOKEN__KEYS): must be a JSON list of objects with kid, algorithm, secret or file, " +
			"and optionally not_before and retire_at, but is not JSON, or not a list",
	} {
		_, err := Load(Source{NoFile: true, Env: []string{"TYK_PROX_APPLICATION__TOKEN__KEYS=" + text}})
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestOneOfTheRequired(t *testing.T) {
	const either = "application.token.jwt_secret|application.token.keys"
	_, err := Load(Source{NoFile: true, Require: []string{either}})
	const want = "configuration: 1 fault:\n  application.token.jwt_secret: is required; set it in the file, " +
		"or set TYK_PROX_APPLICATION__TOKEN__JWT_SECRET and pass --env; or set application.token.keys"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for key, text := range map[string]string{
		"application.token.jwt_secret": canary,
		"application.token.keys":       `[{"kid":"a","algorithm":"ES256","file":"x"}]`,
	} {
		mustLoad(t, Source{NoFile: true, Require: []string{either}, Flags: map[string]string{key: text}})
	}
}
