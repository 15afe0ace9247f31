package jwtauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func TestVerifyAccepts(t *testing.T) {
	for name, token := range map[string]string{
		"canonical header":               seal(secret, header, payload()),
		"members in other order":         seal(secret, `{"typ":"JWT","alg":"HS256"}`, payload()),
		"no typ":                         seal(secret, `{"alg":"HS256"}`, payload()),
		"typ in lower case":              seal(secret, `{"alg":"HS256","typ":"jwt"}`, payload()),
		"typ of an access token":         seal(secret, `{"alg":"HS256","typ":"at+jwt"}`, payload()),
		"unknown header member":          seal(secret, `{"alg":"HS256","x-custom":{"a":[1]}}`, payload()),
		"escaped header name":            seal(secret, `{"\u0061lg":"HS\u003256"}`, payload()),
		"white space":                    seal(secret, " { \"alg\" :\t\"HS256\" }\r\n", "\n"+payload()+" "),
		"escaped claim":                  seal(secret, header, `{"api\u005fkey":"\u0063`+apiKey[1:]+`","exp":1800003600}`),
		"no iat":                         seal(secret, header, `{"api_key":"`+apiKey+`","exp":1800003600}`),
		"iat at the leeway":              seal(secret, header, `{"api_key":"`+apiKey+`","exp":1800003600,"iat":1800000060}`),
		"nbf at the leeway":              seal(secret, header, payload(`"nbf":1800000060`)),
		"other claims":                   seal(secret, header, payload(`"sub":"é\ud83d\ude00","aud":["a",{"b":null}],"n":-1.5e+3`)),
		"informational claims":           seal(secret, header, payload(`"rate_limit":"many","expires_at":null,"allowed_routes":{}`)),
		"nested as deep as it may":       seal(secret, header, payload(`"x":`+strings.Repeat("[", 31)+strings.Repeat("]", 31))),
		"as many members as it may have": seal(secret, header, payload(strings.Trim(manyMembers(61), "{}"))),
	} {
		t.Run(name, func(t *testing.T) { accepted(t, token) })
	}
}

func TestVerifyRefusesShape(t *testing.T) {
	const (
		threeParts = "not three parts separated by dots"
		tooLarge   = "larger than 16384 bytes"
		length     = "signature has the wrong length"
	)
	good := seal(secret, header, payload())
	head, _, _ := strings.Cut(good, ".")
	unsigned := good[:strings.LastIndex(good, ".")+1]
	for _, tt := range []struct{ name, token, reason string }{
		{"empty", "", threeParts},
		{"one part", encode(header), threeParts},
		{"two parts", encode(header) + "." + encode(payload()), threeParts},
		{"four parts", good + ".", threeParts},
		{"five parts, as JWE has", good + ".a.b", threeParts},
		{"leading dot", "." + good, threeParts},
		{"a million dots", strings.Repeat(".", 1_000_000), tooLarge},
		{"dots within the size", strings.Repeat(".", 16384), threeParts},
		{"one byte too large", seal(secret, header, payload()) + strings.Repeat("A", 16385-len(good)), tooLarge},
		{"as large as it may be", good + strings.Repeat("A", 16384-len(good)), length},
		{"nested 20,000 deep", seal(secret, header, payload(`"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000))), tooLarge},
		{"empty signature", unsigned, length},
		{"half a signature", good[:len(good)-20], length},
		{"empty header", seal(secret, "", payload()), "header: not one JSON object"},
		{"header is a list", seal(secret, "["+header+"]", payload()), "header: not one JSON object"},
		{"two headers", seal(secret, header+header, payload()), "header: not one JSON object"},
		{"header nested too deep", seal(secret, `{"x":`+strings.Repeat("[", 2000), payload()), "header: nested too deep"},
		{"header of many members", seal(secret, manyMembers(65), payload()), "header: too many members"},
		{"header in standard base64", "+/" + head[2:] + good[len(head):], "header is not canonical base64url"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.token, jwtauth.ErrInvalid, tt.reason) })
	}
}

// manyMembers is an object with n members, named a00, a01 and so on.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"a` + string(rune('0'+i/10)) + string(rune('0'+i%10)) + `":`)
	}
	return "{" + strings.ReplaceAll(b.String(), ":,", ":0,")[1:] + "0}"
}

func TestVerifyRefusesSignature(t *testing.T) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	good := seal(secret, header, payload())
	_, rest, _ := strings.Cut(good, ".")

	for name, token := range map[string]string{
		"HS256 with an RSA public key's PEM": seal(public, header, payload()),
		"another secret":                     seal(strings.ToUpper(secret), header, payload()),
		"secret cut short":                   seal(secret[:32], header, payload()),
		"empty secret":                       seal("", header, payload()),
		"another header":                     encode(`{"alg":"HS256"}`) + "." + rest,
		"another payload":                    encode(header) + "." + encode(payload(`"x":1`)) + good[strings.LastIndex(good, "."):],
		"first character":                    flip(good, strings.LastIndex(good, ".")+1),
		"payload that is not base64":         encode(header) + ".!!!!." + strings.Repeat("A", 43),
		"payload that is not JSON":           seal("", header, "{"),
	} {
		t.Run(name, func(t *testing.T) { refused(t, token, jwtauth.ErrInvalid, "signature does not match") })
	}
}

// flip changes the character at i to its neighbour in the alphabet, which
// differs from it in the lowest bit only.
func flip(token string, i int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return token[:i] + string(alphabet[strings.IndexByte(alphabet, token[i])^1]) + token[i+1:]
}

// Base64 leaves bits unused in the last character of most parts, and readers
// differ in which other characters they skip. Each variant here decodes, with
// some reader, to a token whose signature holds.
func TestVerifyRefusesSecondSpelling(t *testing.T) {
	const (
		inHeader    = "header is not canonical base64url"
		inPayload   = "payload is not canonical base64url"
		inSignature = "signature is not canonical base64url"
	)
	// One byte more or less makes the parts end in unused bits.
	loose := seal(secret, header+" ", payload())
	end := strings.IndexByte(loose, '.')
	refused(t, flip(loose, end-1), jwtauth.ErrInvalid, inHeader)

	good := seal(secret, header, payload())
	refused(t, flip(good, len(good)-1), jwtauth.ErrInvalid, inSignature)

	dot := strings.LastIndex(good, ".")
	for _, extra := range []string{" ", "\n", "\r", "\t", "=", "\x00", "+", "/", "é"} {
		refused(t, extra+good, jwtauth.ErrInvalid, inHeader)
		refused(t, good[:10]+extra+good[10:], jwtauth.ErrInvalid, inHeader)
		refused(t, good+extra, jwtauth.ErrInvalid, "signature has the wrong length")
		refused(t, good[:dot+5]+extra+good[dot+5+len(extra):], jwtauth.ErrInvalid, inSignature)
		// What is signed is the text, so here the signature has to be made over it.
		head, body := encode(header), encode(payload())
		refused(t, sealText(secret, head+"."+body[:8]+extra+body[8:]), jwtauth.ErrInvalid, inPayload)
		refused(t, sealText(secret, head+"."+body+extra), jwtauth.ErrInvalid, inPayload)
	}
	body := encode(payload() + " ")
	if len(body)%4 == 0 {
		body = encode(payload() + "  ")
	}
	refused(t, sealText(secret, flip(encode(header)+"."+body, len(encode(header))+len(body))), jwtauth.ErrInvalid, inPayload)
}

func TestVerifyRefusesPayload(t *testing.T) {
	const variant = "a claim differs from %q only in case"
	caseOf := func(name string) string { return strings.Replace(variant, "%q", `"`+name+`"`, 1) }
	for _, tt := range []struct{ name, payload, reason string }{
		{"empty", ``, `payload: not one JSON object`},
		{"null", `null`, `payload: not one JSON object`},
		{"list", `[` + payload() + `]`, `payload: not one JSON object`},
		{"string", `"{}"`, `payload: not one JSON object`},
		{"empty object", `{}`, `claim "api_key" is missing`},
		{"byte order mark", "\ufeff" + payload(), `payload: not one JSON object`},
		{"trailing object", payload() + `{}`, `payload: not one JSON object`},
		{"trailing brace", payload() + `}`, `payload: not one JSON object`},
		{"trailing NUL", payload() + "\x00", `payload: not one JSON object`},
		{"cut short", payload()[:60], `payload: not one JSON object`},
		{"trailing comma", payload(""), `payload: not one JSON object`},
		{"same claim twice", payload(`"exp":1800003600`), `payload: duplicate member name "exp"`},
		{"same claim twice, once escaped", payload(`"\u0065xp":9999999999`), `payload: duplicate member name "exp"`},
		{"unknown claim twice", payload(`"a":1,"a":1`), `payload: duplicate member name`},
		{"invalid UTF-8", payload("\"sub\":\"\xff\""), `payload: not valid UTF-8`},
		{"surrogate in raw UTF-8", payload("\"sub\":\"\xed\xa0\x80\""), `payload: not valid UTF-8`},
		{"lone high surrogate", payload(`"sub":"\ud800"`), `payload: lone surrogate`},
		{"lone low surrogate", payload(`"sub":"\udc00"`), `payload: lone surrogate`},
		{"surrogates in the wrong order", payload(`"sub":"\udc00\ud800"`), `payload: lone surrogate`},
		{"lone surrogate in a nested name", payload(`"sub":{"\udfff":0}`), `payload: lone surrogate`},
		{"nested too deep", payload(`"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), `payload: nested too deep`},
		{"objects nested too deep", payload(`"x":` + strings.Repeat(`{"":`, 1000)), `payload: nested too deep`},
		{"nested as deep as the size allows", payload(`"x":` + strings.Repeat("[", 5900)), `payload: nested too deep`},
		{"too many members", manyMembers(65), `payload: too many members`},

		{"EXP", `{"exp":1,"EXP":9999999999,"api_key":"` + apiKey + `"}`, caseOf("exp")},
		{"EXP alone", `{"EXP":9999999999,"api_key":"` + apiKey + `"}`, caseOf("exp")},
		{"API_KEY", payload(`"API_KEY":"` + apiKey + `"`), caseOf("api_key")},
		{"Kelvin sign", payload("\"api_\u212aey\":\"" + apiKey + "\""), caseOf("api_key")},
		{"escaped Kelvin sign", payload(`"api_\u212aey":"` + apiKey + `"`), caseOf("api_key")},
		{"Iat", payload(`"Iat":1`), caseOf("iat")},
		{"NBF", payload(`"NBF":1`), caseOf("nbf")},
		{"Rate_Limit", payload(`"Rate_Limit":1`), caseOf("rate_limit")},
		{"long s in expires_at", payload("\"expire\u017f_at\":1"), caseOf("expires_at")},
		{"Allowed_routes", payload(`"Allowed_routes":[]`), caseOf("allowed_routes")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, seal(secret, header, tt.payload), jwtauth.ErrInvalid, tt.reason)
		})
	}
}

func TestVerifyRefusesAPIKey(t *testing.T) {
	const (
		text    = `claim "api_key" is not a string`
		pattern = `claim "api_key" is not 16 to 128 letters, digits, "_" or "-"`
	)
	for _, tt := range []struct{ value, reason string }{
		{`null`, text},
		{`1234567890123456`, text},
		{`true`, text},
		{`["` + apiKey + `"]`, text},
		{`{"":"` + apiKey + `"}`, text},
		{`""`, pattern},
		{`"` + strings.Repeat("a", 15) + `"`, pattern},
		{`"` + strings.Repeat("a", 129) + `"`, pattern},
		{`"` + apiKey + `\u0000"`, pattern},
		{`"` + apiKey + `\n"`, pattern},
		{`"` + apiKey + `:*"`, pattern},
		{`"{` + apiKey + `}"`, pattern},
		{`"` + apiKey + `é"`, pattern},
		{`"` + apiKey + "\x00\"", `payload: not one JSON object`},
		{`"` + apiKey + "\xff\"", `payload: not valid UTF-8`},
		{`"` + apiKey + `\ud800"`, `payload: lone surrogate`},
	} {
		t.Run(tt.value, func(t *testing.T) {
			refused(t, seal(secret, header, `{"api_key":`+tt.value+`,"exp":1800003600}`), jwtauth.ErrInvalid, tt.reason)
		})
	}
	t.Run("missing", func(t *testing.T) {
		refused(t, seal(secret, header, `{"exp":1800003600}`), jwtauth.ErrInvalid, `claim "api_key" is missing`)
	})
}

func TestVerifyRefusesTimes(t *testing.T) {
	for _, name := range []string{"exp", "iat", "nbf"} {
		notNumber := `claim "` + name + `" is not a number`
		exponent := `claim "` + name + `" has an exponent`
		outOfRange := `claim "` + name + `" is out of range`
		for _, tt := range []struct{ value, reason string }{
			{`null`, notNumber},
			{`"1800003600"`, notNumber},
			{`true`, notNumber},
			{`[1800003600]`, notNumber},
			{`{"":1800003600}`, notNumber},
			{`18000036e2`, exponent},
			{`1.8000036e9`, exponent},
			{`1800003600.5E0`, exponent},
			{`1e18`, exponent},
			{`1e300`, exponent},
			{`-1.5`, outOfRange},
			{`-0.5`, outOfRange},
			{`253402300800.5`, outOfRange},
			{`9007199254740993`, outOfRange},
			{`9007199254740993.5`, outOfRange},
			{`-1`, outOfRange},
			{`-0`, outOfRange},
			{`253402300800`, outOfRange},
			{`1000000000000000000`, outOfRange},
			{`9223372036854775808`, outOfRange},
			{`99999999999999999999999999`, outOfRange},
		} {
			t.Run(name+"="+tt.value, func(t *testing.T) {
				sound := `{"api_key":"` + apiKey + `","` + name + `":` + tt.value
				if name != "exp" {
					sound += `,"exp":1800003600`
				}
				refused(t, seal(secret, header, sound+"}"), jwtauth.ErrInvalid, tt.reason)
			})
		}
	}
	for name, tt := range map[string]struct{ claims, reason string }{
		"exp missing":         {`"iat":1800000000`, `claim "exp" is missing`},
		"iat past the leeway": {`"exp":1800003600,"iat":1800000061`, `claim "iat" is in the future`},
		"nbf past the leeway": {`"exp":1800003600,"nbf":1800000061`, `claim "nbf" is in the future`},
		"leading zero":        {`"exp":01800003600`, `payload: not one JSON object`},
		"leading plus":        {`"exp":+1800003600`, `payload: not one JSON object`},
		"not a number":        {`"exp":NaN`, `payload: not one JSON object`},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, seal(secret, header, `{"api_key":"`+apiKey+`",`+tt.claims+`}`), jwtauth.ErrInvalid, tt.reason)
		})
	}
}

// A fraction never makes a token's life longer (RFC 7519, section 2).
func TestVerifyRoundsFractions(t *testing.T) {
	const (
		future = `claim "%s" is in the future`
		longer = "000000000000000000000000000000" // than a float64 is exact
	)
	for _, tt := range []struct{ claim, value, reason string }{
		{"exp", "1800003600.0", ""},
		{"exp", "1800003600.999999", ""},
		{"exp", "1800003600." + longer + "1", ""},
		{"exp", "1800000000.999", "since 2027-01-15T08:00:00Z"},
		{"iat", "1800000059.5", ""},
		{"iat", "1800000060.0", ""},
		{"iat", "1800000060." + longer, ""},
		{"iat", "1800000060.001", "future"},
		{"iat", "1800000060." + longer + "1", "future"},
		{"iat", "0.5", ""},
		{"nbf", "1800000059.9", ""},
		{"nbf", "1800000060.1", "future"},
	} {
		t.Run(tt.claim+"="+tt.value, func(t *testing.T) {
			text := `{"api_key":"` + apiKey + `","` + tt.claim + `":` + tt.value
			if tt.claim != "exp" {
				text += `,"exp":1800003600`
			}
			token := seal(secret, header, text+"}")
			switch tt.reason {
			case "":
				accepted(t, token)
			case "future":
				refused(t, token, jwtauth.ErrInvalid, fmt.Sprintf(future, tt.claim))
			default:
				refused(t, token, jwtauth.ErrExpired, tt.reason)
			}
		})
	}
}

func TestVerifyExpiry(t *testing.T) {
	const expires = 1_800_003_600
	token := seal(secret, header, payload())
	v := newVerifier(t, "HS256")
	for _, tt := range []struct {
		now     time.Time
		expired bool
	}{
		{time.Unix(expires, 0).Add(-time.Nanosecond), false},
		{time.Unix(expires, 0), true},
		{time.Unix(expires, 0).Add(time.Nanosecond), true},
		{time.Unix(expires, 0).AddDate(1000, 0, 0), true},
	} {
		_, err := v.Verify(token, tt.now)
		if !tt.expired && err != nil {
			t.Errorf("at %v: %v", tt.now, err)
		}
		if tt.expired {
			checkRefusal(t, err, jwtauth.ErrExpired, "since 2027-01-15T09:00:00Z")
		}
	}

	last := seal(secret, header, `{"api_key":"`+apiKey+`","exp":253402300799}`)
	if _, err := v.Verify(last, now); err != nil {
		t.Errorf("the last second of year 9999 was refused: %v", err)
	}
	zero := seal(secret, header, `{"api_key":"`+apiKey+`","exp":0}`)
	refused(t, zero, jwtauth.ErrExpired, "since 1970-01-01T00:00:00Z")

	// Only a token with no other fault counts as expired.
	refused(t, seal(secret, header, `{"api_key":"short","exp":1}`), jwtauth.ErrInvalid,
		`claim "api_key" is not 16 to 128 letters, digits, "_" or "-"`)
	refused(t, seal(secret, header, `{"api_key":"`+apiKey+`","exp":1,"nbf":1900000000}`), jwtauth.ErrInvalid,
		`claim "nbf" is in the future`)
	refused(t, seal("", header, `{"api_key":"`+apiKey+`","exp":1}`), jwtauth.ErrInvalid, "signature does not match")
}

func TestNoErrorShowsTheToken(t *testing.T) {
	const canary = "c4n4ryc4n4ryc4n4ry"
	for _, token := range []string{
		canary,
		seal(secret, `{"alg":"`+canary+`"}`, payload()),
		seal(secret, `{"alg":"HS256","kid":"`+canary+`"}`, payload()),
		seal(secret, `{"alg":"HS256","typ":"`+canary+`"}`, payload()),
		seal(secret, `{"`+canary+`":`, payload()),
		seal(secret, header, `{"api_key":"`+canary+`"}`),
		seal(secret, header, `{"api_key":"`+canary+`!"}`),
		seal(secret, header, `{"api_key":"`+canary+`","exp":1}`),
		seal(secret, header, payload(`"exp":"`+canary+`"`)),
		seal("", header, payload(`"sub":"`+canary+`"`)),
	} {
		_, err := newVerifier(t, "HS256").Verify(token, now)
		if err == nil {
			t.Fatal("accepted")
		}
		for part := range strings.SplitSeq(token, ".") {
			if strings.Contains(err.Error(), part) || strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the token: %v", err)
			}
		}
	}
}

func TestZeroVerifierRefuses(t *testing.T) {
	var v jwtauth.Verifier
	for _, token := range []string{seal("", header, payload()), ".." /* its header is the zero verifier's */} {
		if _, err := v.Verify(token, now); err == nil {
			t.Error("accepted by a verifier without a key")
		}
	}
}
