package jwtauth_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

func TestNewAPIKey(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		key := jwtauth.NewAPIKey()
		if raw, err := base64.RawURLEncoding.Strict().DecodeString(key); err != nil || len(raw) != 16 {
			t.Fatalf("%q is not 16 bytes in base64url: %v", key, err)
		}
		if !jwtauth.ValidAPIKey(key) {
			t.Fatalf("%q is not valid", key)
		}
		if key[0] == '-' {
			t.Fatalf("%q looks like an option", key)
		}
		if seen[key] {
			t.Fatalf("%q came twice", key)
		}
		seen[key] = true
	}
}

func TestValidAPIKey(t *testing.T) {
	pattern := regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
	valid := 0
	check := func(s string) {
		t.Helper()
		got := jwtauth.ValidAPIKey(s)
		if want := pattern.MatchString(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
		if got {
			valid++
		}
	}
	for n := range 140 {
		check(strings.Repeat("k", n))
	}
	for c := range 256 {
		check(apiKey + string([]byte{byte(c)}))
		check(string([]byte{byte(c)}) + apiKey)
	}
	check(apiKey + "é")
	check(apiKey + "\u212a")
	if want := 113 + 2*64; valid != want {
		t.Errorf("%d strings were valid, want %d", valid, want)
	}
}
