package jwtauth

import (
	"crypto/rand"
	"encoding/base64"
)

const (
	minAPIKeySize = 16
	maxAPIKeySize = 128
)

// NewAPIKey returns 16 random bytes as 22 characters of base64url without
// padding. Two calls practically never return the same key. No key starts with a hyphen,
// because commands would take it for an option; that costs 0.02 of the 128 bits.
func NewAPIKey() string {
	for {
		var key [16]byte
		_, _ = rand.Read(key[:]) // never fails: the program ends first
		if text := base64.RawURLEncoding.EncodeToString(key[:]); text[0] != '-' {
			return text
		}
	}
}

// ValidAPIKey reports whether s matches ^[A-Za-z0-9_-]{16,128}$, and so is safe as part of
// a storage key.
func ValidAPIKey(s string) bool {
	if len(s) < minAPIKeySize || len(s) > maxAPIKeySize {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
