package jwtauth_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func Example() {
	// A real secret comes from configuration and stays the same.
	secret := make([]byte, 48)
	_, _ = rand.Read(secret)
	key, err := jwtauth.NewHMACKey("HS256", secret)
	if err != nil {
		fmt.Println(err)
		return
	}

	issued := time.Date(2027, time.January, 15, 8, 0, 0, 0, time.UTC)
	expires := issued.Add(24 * time.Hour)
	token, err := key.Sign(jwtauth.Claims{
		APIKey:        "c2FtcGxlLWFwaS1rZXk",
		RateLimit:     10,
		ExpiresAt:     expires,
		AllowedRoutes: []string{"/api/v1/test"},
		Expires:       expires.Unix(),
		IssuedAt:      issued.Unix(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	verifier, err := jwtauth.NewVerifier(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := verifier.Verify(token, issued)
	fmt.Println(t.APIKey, t.Expires.Format(time.RFC3339), err)

	_, err = verifier.Verify(token, expires)
	fmt.Println(err)
	// Output:
	// c2FtcGxlLWFwaS1rZXk 2027-01-16T08:00:00Z <nil>
	// expired token: since 2027-01-16T08:00:00Z
}

func ExampleNewHMACKey() {
	_, err := jwtauth.NewHMACKey("HS256", []byte("hunter2"))
	fmt.Println(errors.Is(err, jwtauth.ErrWeakSecret))
	fmt.Println(err)
	// Output:
	// true
	// weak secret: it has 7 bytes; use at least 32 random bytes, such as openssl rand -base64 48 prints
}

func ExampleKey_Format() {
	key, err := jwtauth.NewHMACKey("HS256", []byte("an example that everybody can read"))
	fmt.Printf("%v %+v %#v %s %q %x %v\n", key, key, key, key, key, key, err)
	// Output:
	// [redacted] [redacted] [redacted] [redacted] [redacted] [redacted] <nil>
}

func ExampleVerifier_Verify() {
	key, err := jwtauth.NewHMACKey("HS256", []byte("an example that everybody can read"))
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := jwtauth.NewVerifier(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	// {"alg":"none"} and {"api_key":"admin"}, unsigned
	_, err = verifier.Verify("eyJhbGciOiJub25lIn0.eyJhcGlfa2V5IjoiYWRtaW4ifQ.", time.Now())
	switch {
	case errors.Is(err, jwtauth.ErrExpired):
		fmt.Println("log in again:", err)
	case err != nil:
		fmt.Println("refused:", err)
	}
	// Output:
	// refused: invalid token: header "alg" is not "HS256"
}

func ExamplePeek() {
	header, claims, err := jwtauth.Peek("eyJhbGciOiJub25lIn0.eyJhcGlfa2V5IjoiYWRtaW4ifQ.")
	fmt.Printf("%s claims, without proof, %s %v\n", header, claims, err)
	// Output:
	// {"alg":"none"} claims, without proof, {"api_key":"admin"} <nil>
}
