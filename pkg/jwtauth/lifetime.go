package jwtauth

import (
	"fmt"
	"math"
	"time"
	"unicode"
	"unicode/utf8"
)

const never = math.MaxInt64 // in Unix seconds

// WithID returns the key with an id, the "kid" of its tokens (RFC 7515, section 4.1.4). An
// id has 1 to 64 characters, none of them a control character; else the error wraps
// [ErrKey].
func (k Key) WithID(id string) (Key, error) {
	switch n := utf8.RuneCountInString(id); {
	case n == 0 || n > maxKeyIDSize:
		return Key{}, fmt.Errorf("%w: its id must have 1 to %d characters", ErrKey, maxKeyIDSize)
	case !utf8.ValidString(id):
		return Key{}, fmt.Errorf("%w: its id is not UTF-8", ErrKey)
	}
	for _, c := range id {
		if unicode.IsControl(c) {
			return Key{}, fmt.Errorf("%w: its id contains a control character", ErrKey)
		}
	}
	k.id = id
	return k, nil
}

// ID returns the key's id, or "" if it has none.
func (k Key) ID() string { return k.id }

// Between returns the key with a lifetime. The zero Time is no bound.
//
// From retireAt on, a [Verifier] refuses the key's tokens, whatever their own expiry. It
// accepts them from 60 seconds before notBefore, for signers with a fast clock.
func (k Key) Between(notBefore, retireAt time.Time) Key {
	k.notBefore, k.retireAt = 0, never
	if !notBefore.IsZero() {
		k.notBefore = notBefore.Unix()
	}
	if !retireAt.IsZero() {
		k.retireAt = retireAt.Unix()
	}
	return k
}

// Active reports whether the key should sign at the time now.
func (k Key) Active(now time.Time) bool {
	return k.notBefore <= now.Unix() && now.Unix() < k.retireAt
}

// NotBefore returns when the key's lifetime begins, or the zero Time.
func (k Key) NotBefore() time.Time {
	if k.notBefore == 0 {
		return time.Time{}
	}
	return time.Unix(k.notBefore, 0).UTC()
}

// verifiesAt returns why the key's tokens are refused at now, in Unix seconds; nil if they
// are not.
func (k Key) verifiesAt(now int64) error {
	fault := ""
	switch {
	case now >= k.retireAt:
		fault = "is retired"
	case now+leeway < k.notBefore:
		fault = "is not in use yet"
	default:
		return nil
	}
	if k.id == "" {
		return invalid("its key %s", fault)
	}
	return invalid(`the key %q, named by header "kid", %s`, k.id, fault)
}
