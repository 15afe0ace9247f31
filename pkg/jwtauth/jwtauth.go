// Package jwtauth signs and verifies the JSON Web Tokens (RFC 7519) that carry
// an API key.
//
// It reads less than the standard allows, on purpose. A token that two parsers
// could understand differently is refused: duplicate or case-variant names,
// base64 that is not canonical, header members that change how a token is
// processed, times written with an exponent. The algorithm belongs to the key,
// never to the token, and the payload is not decoded before its signature holds.
//
// Only signing methods come from github.com/golang-jwt/jwt; its parser is not
// used. Nothing about HTTP, storage or limits may enter this package: what a
// verified API key may do is decided elsewhere, from the key's record.
package jwtauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// maxTokenSize is in bytes, and is checked before anything is decoded.
	maxTokenSize = 16 << 10
	// leeway is how many seconds iat and nbf may lie in the future, for issuers
	// whose clock runs ahead. An expiry has none.
	leeway = 60
	// maxNumericDate is the last second that RFC 3339 can write, in year 9999.
	maxNumericDate = 253402300799
)

// Every error about a token wraps exactly one of ErrInvalid and ErrExpired. The
// text says what is wrong with it and never holds any part of it.
var (
	// ErrInvalid means that the token can never be accepted, or not yet.
	ErrInvalid = errors.New("invalid token")
	// ErrExpired means that the token is sound in every other way: only its
	// time has passed.
	ErrExpired = errors.New("expired token")
	// ErrClaims is an ErrInvalid whose signature holds: what is wrong was signed.
	ErrClaims = fmt.Errorf("%w", ErrInvalid)
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func invalidClaims(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrClaims, fmt.Sprintf(format, args...))
}

// Claims is what a token carries, in the order in which it is written.
//
// For the verifier only APIKey, Expires and IssuedAt count. The other fields
// tell the token's holder what the key was issued with; the key's record is
// the authority, and may have changed since.
type Claims struct {
	APIKey        string    `json:"api_key"`
	RateLimit     int64     `json:"rate_limit"`     // requests in a window
	ExpiresAt     time.Time `json:"expires_at"`     // RFC 3339, for people
	AllowedRoutes []string  `json:"allowed_routes"` // patterns
	Expires       int64     `json:"exp"`            // Unix seconds
	IssuedAt      int64     `json:"iat"`            // Unix seconds
}

// Token is what verification established. Nothing else of the payload is
// trusted, so nothing else is returned.
type Token struct {
	APIKey  string
	Expires time.Time // UTC, whole seconds
}

// parts are the three segments of a token in the JWS compact serialization
// (RFC 7515, section 7.1), still encoded.
type parts struct {
	header, payload, signature string
	signed                     string // header and payload, with their dot
}

func split(token string) (parts, error) {
	if len(token) > maxTokenSize {
		return parts{}, invalid("larger than %d bytes", maxTokenSize)
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found || strings.Contains(signature, ".") {
		return parts{}, invalid("not three parts separated by dots")
	}
	signed := token[:len(header)+len(".")+len(payload)]
	return parts{header, payload, signature, signed}, nil
}

var strictBase64 = base64.RawURLEncoding.Strict()

// decode appends the bytes that part stands for. Each sequence of bytes has
// exactly one encoding that it accepts.
func decode(dst []byte, part string) ([]byte, bool) {
	// The decoder skips line breaks even when it is strict.
	if strings.Contains(part, "\n") || strings.Contains(part, "\r") {
		return nil, false
	}
	out, err := strictBase64.AppendDecode(dst, []byte(part))
	return out, err == nil
}
