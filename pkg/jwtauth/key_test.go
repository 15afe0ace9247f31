package jwtauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/log"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func TestNewHMACKeyRefusesWeakSecrets(t *testing.T) {
	const remedy = "; use at least 32 random bytes, such as openssl rand -base64 48 prints"
	for _, tt := range []struct{ secret, reason string }{
		{"", "weak secret: it is empty"},
		{"x", "weak secret: it has 1 bytes"},
		{secret[:31], "weak secret: it has 31 bytes"},
		{strings.Repeat("a", 32), "weak secret: it is one byte repeated"},
		{strings.Repeat("\x00", 64), "weak secret: it is one byte repeated"},
	} {
		for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
			key, err := jwtauth.NewHMACKey(algorithm, []byte(tt.secret))
			if !errors.Is(err, jwtauth.ErrWeakSecret) || err.Error() != tt.reason+remedy {
				t.Errorf("%s with %d bytes: %v", algorithm, len(tt.secret), err)
			}
			if key.Algorithm() != "" {
				t.Errorf("a refused secret made a key for %s", key.Algorithm())
			}
		}
	}
	for _, sound := range []string{secret[:32], strings.Repeat("a", 31) + "b", "b" + strings.Repeat("a", 31)} {
		if _, err := jwtauth.NewHMACKey("HS256", []byte(sound)); err != nil {
			t.Errorf("%d bytes: %v", len(sound), err)
		}
	}
}

func TestNewHMACKeyAlgorithms(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		if got := newKey(t, algorithm).Algorithm(); got != algorithm {
			t.Errorf("got %q, want %q", got, algorithm)
		}
	}
	for _, algorithm := range []string{"", "none", "hs256", "HS1", "RS256", "ES256", "EdDSA"} {
		if _, err := jwtauth.NewHMACKey(algorithm, []byte(secret)); !errors.Is(err, jwtauth.ErrAlgorithm) {
			t.Errorf("%q: %v", algorithm, err)
		}
	}
}

func TestKeyCopiesSecret(t *testing.T) {
	mine := []byte(secret)
	key, err := jwtauth.NewHMACKey("HS256", mine)
	if err != nil {
		t.Fatal(err)
	}
	clear(mine)
	token, err := key.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, token)
}

func TestZeroKey(t *testing.T) {
	var key jwtauth.Key
	if _, err := key.Sign(claims()); !errors.Is(err, jwtauth.ErrWeakSecret) {
		t.Errorf("Sign: %v", err)
	}
	if _, err := jwtauth.NewVerifier(key); !errors.Is(err, jwtauth.ErrWeakSecret) {
		t.Errorf("NewVerifier: %v", err)
	}
}

func claims() jwtauth.Claims {
	return jwtauth.Claims{
		APIKey:        apiKey,
		RateLimit:     10,
		ExpiresAt:     now.Add(time.Hour),
		AllowedRoutes: []string{"/api/v1/test", "GET /users/*"},
		Expires:       now.Add(time.Hour).Unix(),
		IssuedAt:      now.Unix(),
	}
}

func TestSignWritesExactBytes(t *testing.T) {
	const want = `{"api_key":"` + apiKey + `","rate_limit":10,"expires_at":"2027-01-15T09:00:00Z",` +
		`"allowed_routes":["/api/v1/test","GET /users/*"],"exp":1800003600,"iat":1800000000}`
	token, err := newKey(t, "HS256").Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	if token != seal(secret, header, want) {
		head, body, _ := jwtauth.Peek(token)
		t.Errorf("got %s %s", head, body)
	}

	none := claims()
	none.AllowedRoutes = nil
	if token, err = newKey(t, "HS256").Sign(none); err != nil {
		t.Fatal(err)
	}
	if _, body, _ := jwtauth.Peek(token); !bytes.Contains(body, []byte(`"allowed_routes":[]`)) {
		t.Errorf("no routes are not written as an empty list: %s", body)
	}
}

// What is signed here is accepted here and by golang-jwt, and the other way round.
func TestInterop(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		t.Run(algorithm, func(t *testing.T) {
			v := newVerifier(t, algorithm)
			ours, err := newKey(t, algorithm).Sign(claims())
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := jwt.Parse(ours, func(*jwt.Token) (any, error) { return []byte(secret), nil },
				jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(),
				jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }))
			if err != nil {
				t.Fatalf("golang-jwt: %v", err)
			}
			if want := map[string]any{"alg": algorithm, "typ": "JWT"}; !reflect.DeepEqual(parsed.Header, want) {
				t.Errorf("header %v, want %v", parsed.Header, want)
			}

			theirs, err := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), parsed.Claims).SignedString([]byte(secret))
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{ours, theirs} {
				got, err := v.Verify(token, now)
				if want := (jwtauth.Token{APIKey: apiKey, Expires: now.Add(time.Hour)}); err != nil || got != want {
					t.Errorf("got %+v, %v", got, err)
				}
			}
		})
	}
}

func TestSignRefusesWhatNobodyAccepts(t *testing.T) {
	for _, tt := range []struct {
		change func(*jwtauth.Claims)
		reason string
	}{
		{func(c *jwtauth.Claims) { c.APIKey = "" }, `claim "api_key" is not an API key`},
		{func(c *jwtauth.Claims) { c.APIKey += "*" }, `claim "api_key" is not an API key`},
		{func(c *jwtauth.Claims) { c.Expires = -1 }, `claim "exp" is out of range`},
		{func(c *jwtauth.Claims) { c.Expires = 253402300800 }, `claim "exp" is out of range`},
		{func(c *jwtauth.Claims) { c.IssuedAt = -1 }, `claim "iat" is out of range`},
		{func(c *jwtauth.Claims) { c.IssuedAt = 253402300800 }, `claim "iat" is out of range`},
		{func(c *jwtauth.Claims) { c.ExpiresAt = c.ExpiresAt.AddDate(9000, 0, 0) }, `claim "expires_at" has no RFC 3339 form`},
		{func(c *jwtauth.Claims) { c.AllowedRoutes = []string{strings.Repeat("/x", 8000)} }, `larger than 16384 bytes`},
	} {
		c := claims()
		tt.change(&c)
		token, err := newKey(t, "HS256").Sign(c)
		if token != "" {
			t.Error("a token beside an error")
		}
		checkRefusal(t, err, jwtauth.ErrInvalid, tt.reason)
	}
}

// forms are the ways in which bytes of the secret could be recognised.
func forms() []string {
	raw := []byte(secret[:12])
	return []string{
		string(raw),
		hex.EncodeToString(raw),
		strings.ToUpper(hex.EncodeToString(raw)),
		fmt.Sprintf("% x", raw),
		strings.Trim(fmt.Sprintf("%d", raw), "[]"),
		strings.Trim(fmt.Sprintf("%#v", raw), "[]byte{}"),
		base64.StdEncoding.EncodeToString(raw),
		fmt.Sprintf("%b", raw[:3]),
		fmt.Sprintf("%o", raw[:3]),
	}
}

func TestKeyShowsNoSecret(t *testing.T) {
	key := newKey(t, "HS256")
	verifier := newVerifier(t, "HS256")
	output := make(map[string]string)
	direct := make(map[string]bool) // where exactly [redacted] must stand

	for verb := range strings.SplitSeq("v +v #v s q x X d b o c U t e p 5v -30s", " ") {
		for kind, value := range map[string]any{
			"value": key, "pointer": &key, "list": []jwtauth.Key{key}, "map": map[string]any{"k": key},
			"exported field": struct{ Key jwtauth.Key }{key}, "hidden field": struct{ key jwtauth.Key }{key},
			"verifier": verifier, "verifier value": *verifier, "reflected": reflect.ValueOf(key),
		} {
			name := "%" + verb + " " + kind
			output[name] = fmt.Sprintf("%"+verb, value)
			direct[name] = (kind == "value" || kind == "pointer") && verb != "p"
		}
	}
	output["Print"], direct["Print"] = fmt.Sprint(key), true
	output["LogValue"], direct["LogValue"] = slog.AnyValue(key).Resolve().String(), true
	if kind := slog.AnyValue(key).Resolve().Kind(); kind != slog.KindString {
		t.Errorf("slog sees a %v", kind)
	}
	output["String"], direct["String"] = key.String(), true
	output["error"] = fmt.Errorf("wrapped: %v", key).Error()
	for kind, value := range map[string]any{"value": key, "field": map[string]any{"key": key}, "verifier": verifier} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		output["json "+kind] = string(text)
	}
	if got := output["json value"]; got != `"[redacted]"` {
		t.Errorf("json: %s", got)
	}
	text, err := xml.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	output["xml"] = string(text)
	maps.Copy(output, logs(key, verifier))

	for name, text := range output {
		if direct[name] && text != "[redacted]" {
			t.Errorf("%s: %q", name, text)
		}
		for _, form := range forms() {
			if strings.Contains(text, form) {
				t.Errorf("%s shows the secret: %q", name, text)
			}
		}
	}
}

// logs is what loggers write of a key and of values that hold one.
func logs(key jwtauth.Key, verifier *jwtauth.Verifier) map[string]string {
	args := []any{
		"key", key, "pointer", &key, "list", []jwtauth.Key{key},
		"field", struct{ Key jwtauth.Key }{key}, "hidden", struct{ key jwtauth.Key }{key},
		"group", slog.GroupValue(slog.Any("key", key)), "verifier", verifier,
	}
	out := make(map[string]string)
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", args...)
	out["slog text"] = b.String()
	b.Reset()
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", args...)
	out["slog json"] = b.String()
	for name, formatter := range map[string]log.Formatter{
		"text": log.TextFormatter, "json": log.JSONFormatter, "logfmt": log.LogfmtFormatter,
	} {
		b.Reset()
		logger := log.NewWithOptions(&b, log.Options{Formatter: formatter})
		logger.Info("direct", args...)
		slog.New(logger).Info("through slog", args...)
		out["log "+name] = b.String()
	}
	return out
}

func TestLoggersSayRedacted(t *testing.T) {
	for name, text := range logs(newKey(t, "HS256"), newVerifier(t, "HS256")) {
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
