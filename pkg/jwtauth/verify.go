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
	byHeader map[string]*Key // by what Key.Sign writes, encoded: most tokens begin with it
	memory   *memory         // nil remembers nothing
}

// NewVerifier makes a verifier for the tokens of the given keys. A token's "kid"
// names its key; one without a "kid" belongs to the key without an id, which there
// need not be.
//
// The zero Key, and no key at all, are refused with [ErrWeakSecret], two keys with
// the same id, or without one, with [ErrKey].
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

// Verify returns what token establishes at the time now.
//
// The checks run from cheap to dear, and the payload is decoded only once the
// signature holds:
//
//   - at most 8 KiB, three parts, each in canonical base64url (RFC 4648, section
//     5) without padding;
//   - a header whose "kid", if any, names a key that is in use, which has the
//     algorithm that the header names, and whose "typ", if any, is "JWT" or
//     "at+jwt"; members that change how a token is processed (crit, b64, zip, enc),
//     or bring a key (jku, jwk, x5u, x5c), are refused, and all others ignored (RFC
//     7515, section 4), x5t and x5t#S256 among them: "kid" alone chooses the key;
//   - the signature;
//   - a payload that is one JSON object with unique names, no claim's name in
//     another case, and at most 32 levels and 64 members;
//   - "api_key", as [ValidAPIKey] wants it;
//   - "exp", and "iat" and "nbf" if present, as seconds from 1970 to 9999, digits
//     and perhaps a decimal fraction (RFC 7519, section 2), which shortens the
//     token's life: "exp" is rounded down, the others up; "iat" and "nbf" at most
//     60 seconds in the future;
//   - "exp" after now, without any leeway, else [ErrExpired].
//
// All other claims, "rate_limit", "expires_at" and "allowed_routes" among them,
// are informational: only their syntax is read.
//
// Every error wraps exactly one of [ErrInvalid] and [ErrExpired], and [ErrClaims]
// too when the signature holds and the payload is at fault. A token whose header
// is the one that [Key.Sign] writes costs one allocation beside its HMAC.
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

// read takes a token apart, from cheap checks to dear ones, up to what its claims say.
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

// claims reads the payload. The signature is the caller's business.
func (p parts) claims() (trustedClaims, error) {
	payload, ok := decode(make([]byte, 0, 512), p.payload)
	if !ok {
		return trustedClaims{}, invalidClaims("payload is not canonical base64url")
	}
	return readClaims(payload)
}

// trustedClaims are the claims that decide. A time that is absent is -1.
type trustedClaims struct {
	apiKey                       string
	expires, issuedAt, notBefore int64
}

// claimNames are the names that may not appear in another case: some reader of
// the same token, matching without regard to case, would take them for these.
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

// at decides about c at the time now, in Unix seconds. Expiry comes last, so
// that an expired token is one with no other fault.
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

// rounding is what becomes of the fraction of a time: it never makes a token's
// life longer.
type rounding bool

const (
	down rounding = false // the end
	up   rounding = true  // the beginning
)

// timeClaim reads a NumericDate (RFC 7519, section 2) as digits with perhaps a
// fraction. Exponents are refused: no issuer writes them, and readers differ in
// their precision.
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

// caseVariant returns the one of names that name equals under Unicode case
// folding, which also takes a Kelvin sign for a k.
func caseVariant(name []byte, names []string) (string, bool) {
	for _, known := range names {
		if bytes.EqualFold(name, []byte(known)) {
			return known, true
		}
	}
	return "", false
}
