package jwtauth

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// Verifier accepts the tokens of its keys. It is safe for concurrent use.
type Verifier struct {
	byID     map[string]*Key // "" is the key without an id
	byHeader map[string]*Key // by the encoded header that Key.Sign writes: most tokens start with it
	memory   *memory         // nil remembers nothing
}

// NewVerifier makes a verifier for the tokens of the given keys. A token's "kid" names its
// key; a token without a "kid" belongs to the key without an id, if there is one.
//
// The error wraps [ErrWeakSecret] if there is no key or one is the zero Key, and [ErrKey] if
// two keys have the same id or two have none.
func NewVerifier(keys ...Key) (*Verifier, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no key was given", ErrWeakSecret)
	}
	v := &Verifier{byID: make(map[string]*Key), byHeader: make(map[string]*Key)}
	for _, key := range keys {
		if key.method == nil {
			return nil, fmt.Errorf("%w: the key was not made by a constructor of this package", ErrWeakSecret)
		}
		if v.byID[key.id] != nil {
			return nil, fmt.Errorf("%w: two keys have the id %q", ErrKey, key.id)
		}
		v.byID[key.id], v.byHeader[key.header()] = &key, &key
	}
	return v, nil
}

// Verify checks token at the time now and returns what it establishes.
//
// Cheap checks come first, and the payload is decoded only after the signature has been
// verified. A token must have:
//
//   - at most 16 KiB, three parts, each in canonical base64url (RFC 4648, section
//     5) without padding;
//   - a header with a "kid", if any, that names a key in use, the "alg" of that key, and
//     a "typ", if any, of "JWT" or "at+jwt"; members that change how a token is processed
//     (crit, b64, zip, enc) or bring a key (jku, jwk, x5u, x5c) are refused; all others
//     are ignored (RFC 7515, section 4), also x5t and x5t#S256: "kid" alone selects the
//     key;
//   - a valid signature;
//   - a payload that is one JSON object with unique names, no claim's name in
//     another case, and at most 32 levels and 64 members;
//   - an "api_key" that is a [ValidAPIKey];
//   - "exp", and "iat" and "nbf" if present, as seconds from 1970 to 9999, digits
//     and perhaps a decimal fraction (RFC 7519, section 2), which shortens the
//     token's life: "exp" is rounded down, the others up; "iat" and "nbf" at most
//     60 seconds in the future;
//   - "exp" after now, without leeway, else [ErrExpired].
//
// All other claims, including "rate_limit", "expires_at" and "allowed_routes", are
// informational: only their syntax is checked.
//
// Every error wraps exactly one of [ErrInvalid] and [ErrExpired]; it also wraps [ErrClaims]
// if the signature is valid and the payload is at fault. A token with the header that
// [Key.Sign] writes costs one allocation besides its HMAC.
func (v *Verifier) Verify(token string, now time.Time) (Token, error) {
	at := now.Unix()
	if known := v.memory.find(token); known != nil {
		if err := known.key.verifiesAt(at); err != nil {
			return Token{}, err
		}
		return known.claims.at(at)
	}
	key, claims, err := v.read(token, at)
	if err != nil {
		return Token{}, err
	}
	t, err := claims.at(at)
	if err == nil && v.memory != nil {
		v.memory.add(genuine{token: token, key: key, claims: claims}, at)
	}
	return t, err
}

// read checks a token, cheap checks first, and returns its claims.
func (v *Verifier) read(token string, now int64) (*Key, trustedClaims, error) {
	p, err := split(token)
	if err != nil {
		return nil, trustedClaims{}, err
	}
	key := v.byHeader[p.header]
	if key == nil {
		if key, err = v.keyOf(p.header); err != nil {
			return nil, trustedClaims{}, err
		}
	}
	if err := key.verifiesAt(now); err != nil {
		return nil, trustedClaims{}, err
	}
	if err := key.matches(p.signed, p.signature); err != nil {
		return nil, trustedClaims{}, err
	}
	claims, err := p.claims()
	return key, claims, err
}

// claims reads the payload. The caller checks the signature.
func (p parts) claims() (trustedClaims, error) {
	payload, ok := decode(make([]byte, 0, 512), p.payload)
	if !ok {
		return trustedClaims{}, invalidClaims("payload is not canonical base64url")
	}
	return readClaims(payload)
}

// trustedClaims are the claims that matter. A missing time is -1.
type trustedClaims struct {
	apiKey                       string
	expires, issuedAt, notBefore int64
}

// claimNames are the names that must not appear in another letter case: a
// case-insensitive reader of the same token would mistake them for these.
var claimNames = []string{"api_key", "exp", "iat", "nbf", "rate_limit", "expires_at", "allowed_routes"}

func readClaims(payload []byte) (trustedClaims, error) {
	c := trustedClaims{expires: -1, issuedAt: -1, notBefore: -1}
	r := objectReader{buf: payload}
	for r.next() {
		var err error
		switch string(r.name()) {
		case "api_key":
			c.apiKey, err = apiKeyClaim(&r)
		case "exp":
			c.expires, err = timeClaim(&r, "exp", down)
		case "iat":
			c.issuedAt, err = timeClaim(&r, "iat", up)
		case "nbf":
			c.notBefore, err = timeClaim(&r, "nbf", up)
		case "rate_limit", "expires_at", "allowed_routes":
		default:
			if known, ok := caseVariant(r.name(), claimNames); ok {
				err = invalidClaims("a claim differs from %q only in case", known)
			}
		}
		if err != nil {
			return trustedClaims{}, err
		}
	}
	if err := r.err(); err != nil {
		return trustedClaims{}, invalidClaims("payload: %v", r.named(err, claimNames))
	}
	return c, nil
}

// at checks c at the time now, in Unix seconds. It checks the expiry last, so that an
// expired token has no other fault.
func (c trustedClaims) at(now int64) (Token, error) {
	switch {
	case c.apiKey == "":
		return Token{}, invalidClaims(`claim "api_key" is missing`)
	case c.expires < 0:
		return Token{}, invalidClaims(`claim "exp" is missing`)
	case c.issuedAt > now+leeway:
		return Token{}, invalidClaims(`claim "iat" is in the future`)
	case c.notBefore > now+leeway:
		return Token{}, invalidClaims(`claim "nbf" is in the future`)
	}
	expires := time.Unix(c.expires, 0).UTC()
	if c.expires <= now {
		return Token{}, fmt.Errorf("%w: since %s", ErrExpired, expires.Format(time.RFC3339))
	}
	return Token{APIKey: c.apiKey, Expires: expires}, nil
}

func apiKeyClaim(r *objectReader) (string, error) {
	if r.kind() != '"' {
		return "", invalidClaims(`claim "api_key" is not a string`)
	}
	key := string(r.value())
	if !ValidAPIKey(key) {
		return "", invalidClaims(`claim "api_key" is not 16 to 128 letters, digits, "_" or "-"`)
	}
	return key, nil
}

// rounding says how to round the fraction of a time: never so that a token lives longer.
type rounding bool

const (
	down rounding = false // the end
	up   rounding = true  // the beginning
)

// timeClaim reads a NumericDate (RFC 7519, section 2): digits, optionally with a fraction.
// It refuses exponents, because no issuer writes them and readers differ in precision.
func timeClaim(r *objectReader, name string, to rounding) (int64, error) {
	if r.kind() != '-' && r.kind() != '0' {
		return 0, invalidClaims("claim %q is not a number", name)
	}
	whole, fraction, _ := bytes.Cut(r.value(), []byte("."))
	if bytes.ContainsAny(r.value(), "eE") {
		return 0, invalidClaims("claim %q has an exponent", name)
	}
	seconds, err := strconv.ParseInt(string(whole), 10, 64)
	if to == up && err == nil && len(bytes.Trim(fraction, "0")) > 0 && seconds <= maxNumericDate {
		seconds++
	}
	if err != nil || r.kind() == '-' || seconds > maxNumericDate {
		return 0, invalidClaims("claim %q is out of range", name)
	}
	return seconds, nil
}

// caseVariant returns the element of names that equals name under Unicode case folding,
// which also maps a Kelvin sign to k.
func caseVariant(name []byte, names []string) (string, bool) {
	for _, known := range names {
		if bytes.EqualFold(name, []byte(known)) {
			return known, true
		}
	}
	return "", false
}
