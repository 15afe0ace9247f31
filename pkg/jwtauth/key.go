package jwtauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/golang-jwt/jwt/v5"
)

const (
	minSecretSize = 32 // bytes
	redacted      = "[redacted]"
)

var (
	// ErrWeakSecret means that a secret can be guessed: it is missing, shorter than 32
	// bytes, one byte repeated, or a PEM key.
	ErrWeakSecret = errors.New("weak secret")
	// ErrAlgorithm means that this package does not support an algorithm.
	ErrAlgorithm = errors.New("unsupported algorithm")
	// ErrKey means that a key cannot be used: its PEM is not a single key of the kind that
	// its algorithm needs, its id is invalid or taken, or it can only verify.
	ErrKey = errors.New("unusable key")
)

// Key is an algorithm with its secret, or with its private or public key. It signs tokens,
// unless it is a public key, and verifies them through a [Verifier]. A Key is safe for
// concurrent use. The zero Key signs nothing, and no Verifier can be made from it.
//
// A Key that is formatted, logged or marshaled becomes "[redacted]". Reflection that
// bypasses the methods, as for an unexported field of a printed struct, finds a function
// and not the secret.
type Key struct {
	method jwt.SigningMethod
	// The values that method signs and verifies with: one secret or a pair of keys. A
	// public key has no signer.
	signer, verifier func() any
	size             int // of a signature, in bytes

	id                  string
	notBefore, retireAt int64 // Unix seconds
}

// NewHMACKey makes a key for HS256, HS384 or HS512 from a secret, which it copies. Any
// other algorithm is an [ErrAlgorithm].
//
// The secret must have at least 32 bytes for every algorithm, must not be one byte repeated
// and must not contain a PEM key; else the error wraps [ErrWeakSecret]. RFC 7518, section
// 3.2, requires as many bytes as the hash has: 32, 48 or 64.
func NewHMACKey(algorithm string, secret []byte) (Key, error) {
	method, err := hmacMethod(algorithm)
	if err != nil {
		return Key{}, err
	}
	if err := checkSecret(secret); err != nil {
		return Key{}, err
	}
	both := box(bytes.Clone(secret))
	return Key{method: method, signer: both, verifier: both, size: method.Hash.Size(), retireAt: never}, nil
}

func box(key any) func() any { return func() any { return key } }

func hmacMethod(algorithm string) (*jwt.SigningMethodHMAC, error) {
	switch algorithm {
	case "HS256":
		return jwt.SigningMethodHS256, nil
	case "HS384":
		return jwt.SigningMethodHS384, nil
	case "HS512":
		return jwt.SigningMethodHS512, nil
	}
	return nil, fmt.Errorf("%w %q: use HS256, HS384 or HS512", ErrAlgorithm, algorithm)
}

func checkSecret(secret []byte) error {
	const remedy = "use at least 32 random bytes, such as openssl rand -base64 48 prints"
	switch {
	case len(secret) == 0:
		return fmt.Errorf("%w: it is empty; %s", ErrWeakSecret, remedy)
	case len(secret) < minSecretSize:
		return fmt.Errorf("%w: it has %d bytes; %s", ErrWeakSecret, len(secret), remedy)
	case bytes.Count(secret, secret[:1]) == len(secret):
		return fmt.Errorf("%w: it is one byte repeated; %s", ErrWeakSecret, remedy)
	case bytes.Contains(secret, []byte("-----BEGIN ")):
		return fmt.Errorf("%w: it is a PEM key, which others may know; %s", ErrWeakSecret, remedy)
	}
	return nil
}

// Algorithm returns the key's "alg" (RFC 7518, section 3.1), or "" for the zero Key.
func (k Key) Algorithm() string {
	if k.method == nil {
		return ""
	}
	return k.method.Alg()
}

// Sign returns c as a signed token. Its header is exactly {"alg":…,"typ":"JWT"}, with a
// final "kid" if the key has an id.
//
// Sign returns [ErrInvalid] for claims that no [Verifier] would ever accept: an API key
// that is not a [ValidAPIKey], times outside the years 1970 to 9999, a token larger than
// 16 KiB. It does not check whether the token has expired or the key is retired. For a
// public key it returns [ErrKey], and for the zero Key [ErrWeakSecret].
func (k Key) Sign(c Claims) (string, error) {
	switch {
	case k.method == nil:
		return "", fmt.Errorf("%w: the key was not made by a constructor of this package", ErrWeakSecret)
	case k.signer == nil:
		return "", fmt.Errorf("%w: it is a public key, which only verifies; sign with the private one", ErrKey)
	}
	if err := c.check(); err != nil {
		return "", err
	}
	if c.AllowedRoutes == nil {
		c.AllowedRoutes = []string{} // [] and not null
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", invalid(`claim "expires_at" has no RFC 3339 form`)
	}
	signed := k.header() + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := k.method.Sign(signed, k.signer())
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", k.Algorithm(), err)
	}
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	if len(token) > maxTokenSize {
		return "", invalid("larger than %d bytes", maxTokenSize)
	}
	return token, nil
}

// CanSign reports whether the key can sign: a secret and a private key can.
func (k Key) CanSign() bool { return k.signer != nil }

func (c Claims) check() error {
	switch {
	case !ValidAPIKey(c.APIKey):
		return invalid(`claim "api_key" is not an API key`)
	case c.Expires < 0 || c.Expires > maxNumericDate:
		return invalid(`claim "exp" is out of range`)
	case c.IssuedAt < 0 || c.IssuedAt > maxNumericDate:
		return invalid(`claim "iat" is out of range`)
	}
	return nil
}

// header returns the encoded header of every token that k signs.
func (k Key) header() string {
	text := `{"alg":"` + k.method.Alg() + `","typ":"JWT"`
	if k.id != "" {
		id, _ := json.Marshal(k.id) // a string always has a JSON form
		text += `,"kid":` + string(id)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text + "}"))
}

// matches returns nil if signature, which is encoded, is the key's signature of signed.
func (k Key) matches(signed, signature string) error {
	if len(signature) != strictBase64.EncodedLen(k.size) {
		return invalid("signature has the wrong length")
	}
	hmac, ok := k.method.(*jwt.SigningMethodHMAC)
	if !ok {
		raw, ok := decode(nil, signature)
		if !ok {
			return notCanonical("signature")
		}
		return mismatch(k.method.Verify(signed, raw, k.verifier()))
	}
	// With the concrete type, the decoded bytes stay on the stack.
	raw, ok := decode(make([]byte, 0, 64), signature)
	if !ok {
		return notCanonical("signature")
	}
	return mismatch(hmac.Verify(signed, raw, k.verifier()))
}

func notCanonical(part string) error { return invalid("%s is not canonical base64url", part) }

// errMismatch is made once, because forged tokens may come in floods.
var errMismatch = invalid("signature does not match")

func mismatch(err error) error {
	if err != nil {
		return errMismatch
	}
	return nil
}

// Format writes "[redacted]", whatever the verb and its flags.
func (Key) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// String returns "[redacted]".
func (Key) String() string { return redacted }

// MarshalText returns "[redacted]"; encoding/json and others use it.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }
