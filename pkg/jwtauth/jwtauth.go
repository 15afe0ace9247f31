// Package jwtauth signs and verifies the JSON Web Tokens (RFC 7519) that carry
// an API key.
//
// It deliberately accepts less than the standard allows. It refuses a token that two
// parsers could read differently: duplicate or case-variant names, base64 that is not
// canonical, header members that change how a token is processed, times with an exponent.
// The key determines the algorithm, never the token, and the payload is decoded only after
// the signature has been verified.
//
// The signing methods come from github.com/golang-jwt/jwt; its parser is not used. The
// package knows nothing of HTTP, storage or limits: the key's record decides elsewhere what
// a verified API key may do.
package jwtauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// maxTokenSize is in bytes, checked before anything is decoded.
	maxTokenSize = 16 << 10
	// leeway is how many seconds iat and nbf may be in the future, for issuers with a
	// fast clock. exp has no leeway.
	leeway = 60
	// maxNumericDate is the last second that RFC 3339 can express, in the year 9999.
	maxNumericDate = 253402300799
)

// Every error about a token wraps exactly one of ErrInvalid and ErrExpired. The text says
// what is wrong and never contains any part of the token.
var (
	// ErrInvalid means that the token is not acceptable, or not yet.
	ErrInvalid = errors.New("invalid token")
	// ErrExpired means that the token has expired and has no other fault.
	ErrExpired = errors.New("expired token")
	// ErrClaims is an ErrInvalid of a token with a valid signature: the fault is in the
	// signed payload.
	ErrClaims = fmt.Errorf("%w", ErrInvalid)
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func invalidClaims(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrClaims, fmt.Sprintf(format, args...))
}

// Claims are the claims of a token, in the order in which they are written.
//
// The verifier uses only APIKey, Expires and IssuedAt. The other fields tell the holder
// of the token what the key was issued with. The key's record decides, and may have
// changed since.
type Claims struct {
	APIKey        string    `json:"api_key"`
	RateLimit     int64     `json:"rate_limit"`     // requests in a window
	ExpiresAt     time.Time `json:"expires_at"`     // RFC 3339, for people
	AllowedRoutes []string  `json:"allowed_routes"` // patterns
	Expires       int64     `json:"exp"`            // Unix seconds
	IssuedAt      int64     `json:"iat"`            // Unix seconds
}

// Token is the result of a verification. Nothing else in the payload is trusted, so
// nothing else is returned.
type Token struct {
	APIKey  string
	Expires time.Time // UTC, whole seconds
}

// parts are the three segments of a token in the JWS compact serialization
// (RFC 7515, section 7.1), still encoded.
type parts struct {
	header, payload, signature string
	signed                     string // header, dot and payload
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

// decode appends the decoded bytes of part. It accepts exactly one encoding of each byte
// sequence.
func decode(dst []byte, part string) ([]byte, bool) {
	// The decoder skips line breaks even when it is strict.
	if strings.Contains(part, "\n") || strings.Contains(part, "\r") {
		return nil, false
	}
	out, err := strictBase64.AppendDecode(dst, []byte(part))
	return out, err == nil
}
