package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// TokenKey is one of application.token.keys. Whether its file is there and holds
// such a key is for its reader to find out.
type TokenKey struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"algorithm"`
	Secret    Secret    `json:"secret,omitzero"`     // of an HS algorithm; its bytes as written are the key
	File      string    `json:"file,omitempty"`      // in place of Secret, or with a key in PEM
	NotBefore time.Time `json:"not_before,omitzero"` // zero: no bound
	RetireAt  time.Time `json:"retire_at,omitzero"`  // zero: no bound
}

// keyField is one member of a TokenKey in JSON.
type keyField struct {
	name    string
	accepts string
	set     func(k *TokenKey, text string) error
}

func field[T any](name string, of func(*TokenKey) *T, k kind[T]) keyField {
	return keyField{name, k.accepts, func(key *TokenKey, text string) error {
		value, err := k.parse(text)
		if err == nil {
			*of(key) = value
		}
		return err
	}}
}

var keyFields = []keyField{
	field("kid", func(k *TokenKey) *string { return &k.ID }, keyID()),
	field("algorithm", func(k *TokenKey) *string { return &k.Algorithm }, oneOf(
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")),
	field("secret", func(k *TokenKey) *Secret { return &k.Secret }, signingSecret()),
	field("file", func(k *TokenKey) *string { return &k.File }, path()),
	field("not_before", func(k *TokenKey) *time.Time { return &k.NotBefore }, instant()),
	field("retire_at", func(k *TokenKey) *time.Time { return &k.RetireAt }, instant()),
}

func keyID() kind[string] {
	return kind[string]{"text", "a text of 1 to 64 characters without control characters", asString, func(s string) (string, error) {
		if _, err := (jwtauth.Key{}).WithID(s); err != nil {
			return "", not(s)
		}
		return s, nil
	}}
}

func instant() kind[time.Time] {
	return kind[time.Time]{"time", `a time such as "2027-01-15T08:00:00Z" (RFC 3339)`, asString, func(s string) (time.Time, error) {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return time.Time{}, not(s)
		}
		return t, nil
	}}
}

// tokenKeys reads the list of keys, which is JSON in every layer.
func tokenKeys() kind[[]TokenKey] {
	accepts := "a JSON list of objects with kid, algorithm, secret or file, and optionally not_before and retire_at"
	return kind[[]TokenKey]{"keys", accepts, asList | asJSON, func(s string) ([]TokenKey, error) {
		if strings.TrimSpace(s) == "" {
			return nil, nil
		}
		var elements []json.RawMessage
		if json.Unmarshal([]byte(s), &elements) != nil {
			return nil, errors.New("but is not JSON, or not a list") // without a quote, for it may be a secret's
		}
		var faults partFaults
		keys := make([]TokenKey, len(elements))
		for i, raw := range elements {
			faults.readKey(fmt.Sprintf("[%d]", i), raw, &keys[i])
			for _, other := range keys[:i] {
				if other.ID == keys[i].ID && other.ID != "" {
					faults.add(fmt.Sprintf("[%d].kid", i), "is the kid of another key, too; each key needs its own")
				}
			}
		}
		if faults != nil {
			return nil, faults
		}
		return keys, nil
	}}
}

// partFaults are the faults of an option that has parts with names of their own.
type partFaults []Fault // each Key is what follows the option's

func (f partFaults) Error() string { return fmt.Sprintf("with %d faults", len(f)) }

func (f *partFaults) add(part, text string) { *f = append(*f, Fault{Key: part, Text: text}) }

func (f *partFaults) readKey(at string, raw json.RawMessage, key *TokenKey) {
	if found, name := shapeOf(raw); found != asObject {
		f.add(at, "must be an object, not "+name)
		return
	}
	before := len(*f)
	repeated := func(name string) { f.add(join(at, name), givenTwice) }
	_ = members(raw, repeated, func(name string, value json.RawMessage) error { // raw is a valid object
		f.readField(at, name, value, key)
		return nil
	})
	if len(*f) == before {
		f.checkKey(at, *key)
	}
}

func (f *partFaults) readField(at, name string, value json.RawMessage, key *TokenKey) {
	names := make([]string, len(keyFields))
	for i, field := range keyFields {
		names[i] = field.name
		if !strings.EqualFold(field.name, name) {
			continue
		}
		part := join(at, field.name)
		if found, name := shapeOf(value); found != asString {
			f.add(part, "must be "+field.accepts+", not "+name)
		} else if err := field.set(key, unquote(value)); err != nil {
			f.add(part, complaint(field.accepts, unquote(value), err))
		}
		return
	}
	f.add(join(at, name), "unknown key"+didYouMean(name, names, asKey))
}

// checkKey adds what only the members together show.
func (f *partFaults) checkKey(at string, key TokenKey) {
	hmac := strings.HasPrefix(key.Algorithm, "HS")
	secret := key.Secret.Reveal()
	switch {
	case key.ID == "":
		f.add(at+".kid", "is required; a key without a kid is set by application.token.jwt_secret")
	case key.Algorithm == "":
		f.add(at+".algorithm", "is required; set HS256, ES256 or another")
	case secret != "" && key.File != "":
		f.add(at+".file", "must not be set together with secret; keep one")
	case secret != "" && !hmac:
		f.add(at+".secret", "must not be set for "+key.Algorithm+"; set file to the path of a key in PEM")
	case secret == "" && key.File == "" && hmac:
		f.add(at+".secret", "is required; set it, or set file to the path of a file that holds it")
	case secret == "" && key.File == "":
		f.add(at+".file", "is required; set it to the path of a key in PEM")
	case secret == ExampleSecret:
		f.add(at+".secret", "is the published example; make one with `tykctl secret`")
	case !key.RetireAt.IsZero() && !key.RetireAt.After(key.NotBefore):
		f.add(at+".retire_at", "must be after not_before")
	}
}

// showKeys writes keys as they are shown, with their secrets hidden.
func showKeys(keys []TokenKey) string {
	if len(keys) == 0 {
		return ""
	}
	b, err := json.Marshal(keys)
	if err != nil {
		return redacted
	}
	return string(b)
}
