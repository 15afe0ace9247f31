package jwtauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const minRSABits = 2048 // RFC 7518, sections 3.3 and 3.5

// NewKeyFromPEM makes a key for an algorithm from PEM text (RFC 7468). The algorithm is
// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA with Ed25519; any
// other is an [ErrAlgorithm]. A private key, in PKCS #8 or in the older forms for RSA and
// EC, signs and verifies. A public key, in PKIX or for RSA in PKCS #1, only verifies.
//
// The key must be of the kind that the algorithm needs: at least 2048 bits for RSA, the
// algorithm's curve for ES. The text must contain a single key, not encrypted, and nothing
// else. Else the error wraps [ErrKey].
func NewKeyFromPEM(algorithm string, text []byte) (Key, error) {
	method := jwt.GetSigningMethod(algorithm)
	switch m := method.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodECDSA, *jwt.SigningMethodEd25519:
	case *jwt.SigningMethodRSAPSS:
		strict := *m
		strict.VerifyOptions = nil // else any salt length would pass; RFC 7518, section 3.5, requires the hash's
		method = &strict
	default:
		return Key{}, fmt.Errorf("%w %q: a PEM key needs RS, PS or ES with 256, 384 or 512, or EdDSA", ErrAlgorithm, algorithm)
	}
	private, public, err := parsePEM(text)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	size, err := signatureSize(method, public)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k := Key{method: method, verifier: box(public), size: size, retireAt: never}
	if private != nil {
		k.signer = box(private)
	}
	return k, nil
}

// signatureSize returns the size in bytes. The error says why public does not fit method.
func signatureSize(method jwt.SigningMethod, public any) (int, error) {
	switch method := method.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		key, ok := public.(*rsa.PublicKey)
		if !ok {
			break
		}
		if bits := key.N.BitLen(); bits < minRSABits {
			return 0, fmt.Errorf("it is an RSA key of %d bits; use %d or more", bits, minRSABits)
		}
		return key.Size(), nil
	case *jwt.SigningMethodECDSA:
		key, ok := public.(*ecdsa.PublicKey)
		if !ok {
			break
		}
		if curve := key.Params(); curve.BitSize != method.CurveBits {
			return 0, fmt.Errorf("it is on curve %s, but %s needs P-%d", curve.Name, method.Name, method.CurveBits)
		}
		return 2 * method.KeySize, nil
	case *jwt.SigningMethodEd25519:
		if _, ok := public.(ed25519.PublicKey); ok {
			return ed25519.SignatureSize, nil
		}
	}
	return 0, fmt.Errorf("it is not the kind of key that %s needs", method.Alg())
}

// parsePEM returns the single key in text; private is nil for a public key.
func parsePEM(text []byte) (private, public any, err error) {
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes them in front
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil:
		return nil, nil, fmt.Errorf("it is not a PEM key, which begins with -----BEGIN")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, nil, fmt.Errorf("there is more text after the key; give one key alone")
	case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, nil, fmt.Errorf("it is encrypted; decrypt it with openssl pkey")
	}
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, nil, fmt.Errorf("it is a %.40q; give a private or a public key", block.Type)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("its %s cannot be read", strings.ToLower(block.Type)) // the cause might quote the key
	}
	if pair, ok := private.(crypto.Signer); ok {
		public = pair.Public()
	}
	return private, public, nil
}
