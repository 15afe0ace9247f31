package jwtauth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// pair is a private key as golang-jwt takes it, and both its halves in PEM.
type pair struct {
	private        any
	secret, public string
	inOlderPEM     string // of the private half, "" where there is none
	publicInPKCS1  string
}

var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// pairs has a pair for each kind of key: RS, 1024 for one too short, ES256 and so on.
var pairs = sync.OnceValue(func() map[string]pair {
	rsaKey := func(bits int) *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }
	ecKey := func(c elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(c, rand.Reader)) }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(ed, err)
	m := map[string]pair{}
	for kind, private := range map[string]interface{ Public() any }{
		"RS": rsaPublic{rsaKey(2048)}, "1024": rsaPublic{rsaKey(1024)},
		"ES256": ecPublic{ecKey(elliptic.P256())}, "ES384": ecPublic{ecKey(elliptic.P384())}, "ES512": ecPublic{ecKey(elliptic.P521())},
		"ES224": ecPublic{ecKey(elliptic.P224())}, "EdDSA": edPublic{ed},
	} {
		p := pair{public: inPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(private.Public())))}
		switch key := private.(type) {
		case rsaPublic:
			p.private = key.PrivateKey
			p.inOlderPEM = inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key.PrivateKey))
			p.publicInPKCS1 = inPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))
		case ecPublic:
			p.private = key.PrivateKey
			p.inOlderPEM = inPEM("EC PARAMETERS", []byte{6, 0}) + inPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key.PrivateKey)))
		case edPublic:
			p.private = key.PrivateKey
		}
		p.secret = inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p.private)))
		m[kind] = p
	}
	return m
})

type (
	rsaPublic struct{ *rsa.PrivateKey }
	ecPublic  struct{ *ecdsa.PrivateKey }
	edPublic  struct{ ed25519.PrivateKey }
)

func (k rsaPublic) Public() any { return &k.PublicKey }
func (k ecPublic) Public() any  { return &k.PublicKey }
func (k edPublic) Public() any  { return k.PrivateKey.Public() }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// pairFor is the pair that an algorithm takes.
func pairFor(algorithm string) pair {
	if algorithm[:2] == "RS" || algorithm[:2] == "PS" {
		return pairs()["RS"]
	}
	return pairs()[algorithm]
}

func fromPEM(t testing.TB, algorithm, text string) jwtauth.Key {
	t.Helper()
	key, err := jwtauth.NewKeyFromPEM(algorithm, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", algorithm, err)
	}
	return key
}

// What either half in any form signs or verifies, golang-jwt verifies or signs.
func TestKeysFromPEM(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			p := pairFor(algorithm)
			public := fromPEM(t, algorithm, p.public)
			v, err := jwtauth.NewVerifier(public)
			if err != nil {
				t.Fatal(err)
			}
			if public.CanSign() || public.Algorithm() != algorithm {
				t.Errorf("a public key for %s that signs: %t", public.Algorithm(), public.CanSign())
			}
			if _, err := public.Sign(claims()); !errors.Is(err, jwtauth.ErrKey) || !strings.Contains(err.Error(), "public key") {
				t.Errorf("Sign with a public key: %v", err)
			}
			for _, text := range []string{p.secret, p.inOlderPEM, "\n" + p.secret + "\n\n"} {
				if text == "" {
					continue
				}
				private := fromPEM(t, algorithm, text)
				ours, err := private.Sign(claims())
				if err != nil || !private.CanSign() {
					t.Fatal(err)
				}
				parsed, err := jwt.Parse(ours, func(*jwt.Token) (any, error) { return publicHalf(p.private), nil },
					jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }))
				if err != nil {
					t.Fatalf("golang-jwt: %v", err)
				}
				theirs, err := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), parsed.Claims).SignedString(p.private)
				if err != nil {
					t.Fatal(err)
				}
				for _, token := range []string{ours, theirs} {
					got, err := v.Verify(token, now)
					if want := (jwtauth.Token{APIKey: apiKey, Expires: now.Add(time.Hour)}); err != nil || got != want {
						t.Errorf("got %+v, %v", got, err)
					}
					i := strings.LastIndex(token, ".") + 1
					_, err = v.Verify(flip(token, i+1), now)
					checkRefusal(t, err, jwtauth.ErrInvalid, "signature does not match")
					_, err = v.Verify(token[:len(token)-2], now)
					checkRefusal(t, err, jwtauth.ErrInvalid, "signature has the wrong length")
				}
			}
			if p.publicInPKCS1 != "" {
				fromPEM(t, algorithm, p.publicInPKCS1)
			}
		})
	}
}

func publicHalf(private any) any {
	switch key := private.(type) {
	case *rsa.PrivateKey:
		return &key.PublicKey
	case *ecdsa.PrivateKey:
		return &key.PublicKey
	case ed25519.PrivateKey:
		return key.Public()
	}
	return nil
}

// Each key accepts its own algorithm and no other, though the pair is the same;
// and a public key that everybody knows is no secret to sign HS256 with.
func TestAlgorithmBelongsToThePair(t *testing.T) {
	for _, algorithm := range algorithms {
		p := pairFor(algorithm)
		v := must(jwtauth.NewVerifier(fromPEM(t, algorithm, p.secret)))
		for _, other := range algorithms {
			if other == algorithm || pairFor(other).public != p.public {
				continue
			}
			token := must(fromPEM(t, other, p.secret).Sign(claims()))
			_, err := v.Verify(token, now)
			checkRefusal(t, err, jwtauth.ErrInvalid, `header "alg" is not "`+algorithm+`"`)
			// With the right name at its front, the signature still is another one.
			_, rest, _ := strings.Cut(token, ".")
			_, err = v.Verify(encode(`{"alg":"`+algorithm+`","typ":"JWT"}`)+"."+rest, now)
			checkRefusal(t, err, jwtauth.ErrInvalid, "signature does not match")
		}
		for _, secret := range []string{p.public, strings.TrimSpace(p.public)} {
			_, err := v.Verify(seal(secret, header, payload()), now)
			checkRefusal(t, err, jwtauth.ErrInvalid, `header "alg" is not "`+algorithm+`"`)
			if _, err := jwtauth.NewHMACKey("HS256", []byte(secret)); !errors.Is(err, jwtauth.ErrWeakSecret) {
				t.Errorf("a public key as a secret: %v", err)
			}
		}
	}
}

// In PS the salt has as many bytes as the hash (RFC 7518, section 3.5).
func TestSaltIsAsLongAsTheHash(t *testing.T) {
	for algorithm, size := range map[string]int{"PS256": 32, "PS384": 48, "PS512": 64} {
		v := must(jwtauth.NewVerifier(fromPEM(t, algorithm, pairFor(algorithm).public)))
		lax := *jwt.GetSigningMethod(algorithm).(*jwt.SigningMethodRSAPSS)
		for _, salt := range []int{size, size - 1, size + 1, 1, rsa.PSSSaltLengthAuto} {
			lax.Options = &rsa.PSSOptions{SaltLength: salt}
			signed := encode(`{"alg":"`+algorithm+`","typ":"JWT"}`) + "." + encode(payload())
			token := signed + "." + encode(string(must(lax.Sign(signed, pairFor(algorithm).private))))
			_, err := v.Verify(token, now)
			if salt == size {
				if err != nil {
					t.Errorf("%s with a salt of %d bytes: %v", algorithm, salt, err)
				}
				continue
			}
			checkRefusal(t, err, jwtauth.ErrInvalid, "signature does not match")
		}
	}
}

func TestKeysFromPEMRefused(t *testing.T) {
	p := pairs()
	for _, tt := range []struct{ name, algorithm, text, reason string }{
		{"empty", "RS256", "", "it is not a PEM key, which begins with -----BEGIN"},
		{"a file's name", "RS256", "/etc/key.pem", "it is not a PEM key, which begins with -----BEGIN"},
		{"two keys", "RS256", p["RS"].public + p["RS"].public, "there is more text after the key; give one key alone"},
		{"a certificate", "RS256", inPEM("CERTIFICATE", nil), `it is a "CERTIFICATE"; give a private or a public key`},
		{"encrypted", "RS256", inPEM("ENCRYPTED PRIVATE KEY", nil), "it is encrypted; decrypt it with openssl pkey"},
		{"encrypted, older form", "RS256", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "it is encrypted; decrypt it with openssl pkey"},
		{"no key inside", "RS256", inPEM("PUBLIC KEY", []byte("canary")), "its public key cannot be read"},
		{"1024 bits", "PS512", p["1024"].secret, "it is an RSA key of 1024 bits; use 2048 or more"},
		{"1024 bits, public", "RS256", p["1024"].public, "it is an RSA key of 1024 bits; use 2048 or more"},
		{"a smaller curve", "ES384", p["ES256"].secret, "it is on curve P-256, but ES384 needs P-384"},
		{"a larger curve", "ES256", p["ES512"].public, "it is on curve P-521, but ES256 needs P-256"},
		{"a curve of no algorithm", "ES256", p["ES224"].public, "it is on curve P-224, but ES256 needs P-256"},
		{"EC for RSA", "RS256", p["ES256"].secret, "it is not the kind of key that RS256 needs"},
		{"RSA for EC", "ES256", p["RS"].public, "it is not the kind of key that ES256 needs"},
		{"EC for EdDSA", "EdDSA", p["ES256"].public, "it is not the kind of key that EdDSA needs"},
		{"EdDSA for PS", "PS256", p["EdDSA"].public, "it is not the kind of key that PS256 needs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := jwtauth.NewKeyFromPEM(tt.algorithm, []byte(tt.text))
			if !errors.Is(err, jwtauth.ErrKey) || err.Error() != "unusable key: "+tt.reason {
				t.Errorf("got  %v\nwant %s", err, tt.reason)
			}
		})
	}
	for _, algorithm := range []string{"", "none", "HS256", "rs256", "ES256K", "Ed25519"} {
		if _, err := jwtauth.NewKeyFromPEM(algorithm, []byte(p["RS"].secret)); !errors.Is(err, jwtauth.ErrAlgorithm) {
			t.Errorf("%q: %v", algorithm, err)
		}
	}
}

func TestPrivateKeyIsNotShown(t *testing.T) {
	key := fromPEM(t, "EdDSA", pairs()["EdDSA"].secret)
	v := must(jwtauth.NewVerifier(key))
	raw, _ := pairs()["EdDSA"].private.(ed25519.PrivateKey)
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		for _, value := range []any{key, &key, struct{ key jwtauth.Key }{key}, v, *v} {
			text := fmt.Sprintf(format, value)
			for _, form := range []string{hex.EncodeToString(raw[:8]), strings.Trim(fmt.Sprintf("%d", raw[:8]), "[]")} {
				if strings.Contains(text, form) {
					t.Errorf("%s of %T shows the key: %s", format, value, text)
				}
			}
		}
	}
}
