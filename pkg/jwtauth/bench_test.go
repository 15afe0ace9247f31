package jwtauth_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func BenchmarkVerify(b *testing.B) {
	signed, err := newKey(b, "HS256").Sign(claims())
	if err != nil {
		b.Fatal(err)
	}
	v := newVerifier(b, "HS256")
	for _, bb := range []struct {
		name, token string
		accepted    bool
	}{
		{"canonical", signed, true},
		{"other header", seal(secret, `{"typ":"JWT","alg":"HS256"}`, payload()), true},
		{"bad signature", signed[:len(signed)-43] + strings.Repeat("A", 43), false},
		{"costliest header", seal(secret, manyMembers(64)+strings.Repeat(" ", 5300), ""), false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(bb.token, now); (err == nil) != bb.accepted {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("remembered", func(b *testing.B) {
		v := v.Remember(1000)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(signed, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(algorithm, func(b *testing.B) {
			key := fromPEM(b, algorithm, pairFor(algorithm).secret)
			v := must(jwtauth.NewVerifier(key))
			token := must(key.Sign(claims()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(token, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// What the signature alone costs.
	b.Run("HMAC only", func(b *testing.B) {
		dot := strings.LastIndex(signed, ".")
		signature, err := jwt.NewParser().DecodeSegment(signed[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		var key any = []byte(secret)
		b.ReportAllocs()
		for b.Loop() {
			if err := jwt.SigningMethodHS256.Verify(signed[:dot], signature, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestVerifyAllocatesOnlyTheAPIKey(t *testing.T) {
	signed, err := newKey(t, "HS256").Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, "HS256")
	var key any = []byte(secret)
	mac := testing.AllocsPerRun(100, func() {
		if err := jwt.SigningMethodHS256.Verify(signed, make([]byte, 32), key); err == nil {
			t.Fatal("32 zeros are no signature")
		}
	})
	all := testing.AllocsPerRun(100, func() {
		if _, err := v.Verify(signed, now); err != nil {
			t.Fatal(err)
		}
	})
	if all > mac+1 {
		t.Errorf("%v allocations, of which the HMAC has %v", all, mac)
	}
}
