package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// Subject is the key that an operator named: by itself, through a JWT, or by the
// hash that stands in the log.
type Subject struct {
	APIKey         string          // "" while only the hash is known
	Hash           string          // "" when the key was not named by its hash
	JWT            string          // "" when the key was not named by a JWT
	Header, Claims json.RawMessage // of the JWT, as it stands there; nobody has checked it
}

// ErrNotValid is what the operator named, when it is not what it should be.
var ErrNotValid = errors.New("not valid")

// ParseSubject reads a JWT, an api_key or a key's hash. Nothing of it is believed
// yet: a JWT's signature is for the caller to check. The error wraps errNotValid and
// repeats no token.
func ParseSubject(arg string) (Subject, error) {
	if jwtauth.ValidAPIKey(arg) {
		return Subject{APIKey: arg}, nil
	}
	// No api_key is that short, so nothing is ambiguous. key=… is how the log writes it.
	if hash := strings.TrimPrefix(arg, "key="); isHash(hash) {
		return Subject{Hash: hash}, nil
	}
	if strings.Count(arg, ".") != 2 {
		return Subject{}, fmt.Errorf("%w: this is neither an api_key (16 to 128 letters, digits, - and _), "+
			"nor a JWT (three parts separated by dots), nor a key's hash from the log (12 hex digits)", ErrNotValid)
	}
	header, claims, err := jwtauth.Peek(arg)
	if err != nil {
		return Subject{}, fmt.Errorf("%w: not a JWT: %w", ErrNotValid, err)
	}
	s := Subject{JWT: arg, Header: header, Claims: claims}
	var named struct {
		APIKey string `json:"api_key"`
	}
	if json.Unmarshal(claims, &named) == nil && jwtauth.ValidAPIKey(named.APIKey) {
		s.APIKey = named.APIKey
	}
	return s, nil
}

// isHash reports whether a text has the form of [storage.KeyHash].
func isHash(text string) bool {
	return len(text) == len(storage.KeyHash("")) && strings.Trim(text, "0123456789abcdef") == ""
}

// Named reports whether the subject names a key at all.
func (s *Subject) Named() error {
	if s.APIKey == "" && s.Hash == "" {
		return fmt.Errorf("%w: the JWT names no api_key", ErrNotValid)
	}
	return nil
}

// Search says how a key is found by its hash.
type Search struct {
	Within time.Duration // how long it may take
	Show   func(n int)   // is told how many keys were looked at; may be nil
}

// Resolve finds the api_keys of the subjects that were named by a hash, with one
// walk over the keys for all of them. One that is not there is left without. The
// error is a searchError if the time was too short.
func Resolve(ctx context.Context, book *registry.Registry, by Search, subjects ...*Subject) error {
	hashes := HashesOf(subjects)
	if len(hashes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, by.Within)
	defer cancel()
	found, err := book.Hashed(ctx, hashes, by.Show)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return SearchError{len(hashes), by.Within}
	case err != nil:
		return err
	}
	for _, who := range subjects {
		switch keys := found[who.Hash]; {
		case len(keys) == 1:
			who.APIKey = keys[0]
		case len(keys) > 1:
			return fmt.Errorf("%w: %d keys have the hash %s: %s; name the one you mean by its api_key",
				ErrNotValid, len(keys), who.Hash, strings.Join(keys, ", "))
		}
	}
	return nil
}

// HashesOf lists the hashes by which subjects were named.
func HashesOf(subjects []*Subject) []string {
	var hashes []string
	for _, who := range subjects {
		if who.Hash != "" {
			hashes = append(hashes, who.Hash)
		}
	}
	return hashes
}

// Found reports whether a subject's key is known, after resolve. The error wraps
// [storage.ErrUnknown].
func (s *Subject) Found() error {
	if s.APIKey == "" && s.Hash != "" {
		return Reword(fmt.Sprintf("no key has the hash %s: its record was revoked or has expired, "+
			"or it is in another Redis or under another prefix", s.Hash), storage.ErrUnknown)
	}
	return nil
}

// SearchError is a search that took too long.
type SearchError struct {
	hashes int
	within time.Duration
}

func (e SearchError) Error() string {
	return fmt.Sprintf("the search for %s did not finish within %s", Counted(e.hashes, "hash", "hashes"), duration.Format(e.within))
}

// Reworded is an error in other words. It is still the one that it was.
type Reworded struct {
	text string
	err  error
}

// Reword says an error in other words.
func Reword(text string, err error) error { return Reworded{text, err} }

func (r Reworded) Error() string { return r.text }
func (r Reworded) Unwrap() error { return r.err }

// Counted is a number with its noun: 1 key, 2 keys.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// CheckSigned reports whether a JWT was signed by a key of the verifier, which is nil
// if there is none. Its time may be over: it still names a key of ours. One with
// another fault could be read in two ways, and is not believed. The error wraps
// errNotValid if the JWT is at fault.
func CheckSigned(jwt string, verifier *jwtauth.Verifier, now time.Time) error {
	if verifier == nil {
		return errors.New("the JWT's signature cannot be checked without application.token.jwt_secret or keys; set one, or name the key by its api_key")
	}
	if _, err := verifier.Verify(jwt, now); err != nil && !errors.Is(err, jwtauth.ErrExpired) {
		return fmt.Errorf("%w: %w", ErrNotValid, err)
	}
	return nil
}
