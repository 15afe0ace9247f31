package jwtauth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

const (
	secret = "canary-6f1d0c54b8e94a7e9d23c5aa0f7be812"
	apiKey = "c2FtcGxlLWFwaS1rZXk"
	header = `{"alg":"HS256","typ":"JWT"}`
)

// now is the time at which tests verify; 1800000000 in Unix seconds.
var now = time.Date(2027, time.January, 15, 8, 0, 0, 0, time.UTC)

// payload is a sound one, with further members if any are given.
func payload(members ...string) string {
	all := append([]string{`"api_key":"` + apiKey + `"`, `"exp":1800003600`, `"iat":1800000000`}, members...)
	return "{" + strings.Join(all, ",") + "}"
}

// seal signs the two texts as they are, without this package.
func seal(secret, header, payload string) string {
	return sealText(secret, encode(header)+"."+encode(payload))
}

// sealText signs a header and a payload that are encoded already.
func sealText(secret, signed string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(string(mac.Sum(nil)))
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func newKey(t testing.TB, algorithm string) jwtauth.Key {
	t.Helper()
	key, err := jwtauth.NewHMACKey(algorithm, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newVerifier(t testing.TB, algorithm string) *jwtauth.Verifier {
	t.Helper()
	v, err := jwtauth.NewVerifier(newKey(t, algorithm))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// accepted fails the test unless token establishes the API key of payload.
func accepted(t *testing.T, token string) {
	t.Helper()
	for _, got := range answers(t, token) {
		if got.err != nil {
			t.Fatalf("refused: %v", got.err)
		}
		if want := (jwtauth.Token{APIKey: apiKey, Expires: now.Add(time.Hour)}); got.token != want {
			t.Errorf("got %+v, want %+v", got.token, want)
		}
	}
}

// refused fails the test unless token is refused as kind, with exactly that
// reason; the place in the text, which some reasons tell, is not compared.
func refused(t *testing.T, token string, kind error, reason string) {
	t.Helper()
	for _, got := range answers(t, token) {
		if got.token != (jwtauth.Token{}) {
			t.Errorf("a refused token established %+v", got.token)
		}
		checkRefusal(t, got.err, kind, reason)
	}
}

type answer struct {
	token jwtauth.Token
	err   error
}

// remembering has seen the tokens of every test before.
var remembering = sync.OnceValue(func() *jwtauth.Verifier {
	return must(jwtauth.NewVerifier(must(jwtauth.NewHMACKey("HS256", []byte(secret))))).Remember(1000)
})

// answers are those of a verifier without memory, of one that meets the token for
// the first time and again, and of one that has met many others.
func answers(t *testing.T, token string) (all []answer) {
	t.Helper()
	v := newVerifier(t, "HS256")
	fresh := v.Remember(1)
	for _, v := range []*jwtauth.Verifier{v, fresh, fresh, remembering(), remembering()} {
		got, err := v.Verify(token, now)
		all = append(all, answer{got, err})
	}
	return all
}

func checkRefusal(t *testing.T, err, kind error, reason string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v: %s", kind, reason)
	}
	if errors.Is(err, jwtauth.ErrInvalid) == errors.Is(err, jwtauth.ErrExpired) || !errors.Is(err, kind) {
		t.Errorf("%q does not wrap exactly %q", err, kind)
	}
	got, _, _ := strings.Cut(err.Error(), " at byte ")
	if want := kind.Error() + ": " + reason; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
