package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// subject is the key that an operator named: by itself, through a JWT, or by the
// hash that stands in the log.
type subject struct {
	apiKey         string          // "" while only the hash is known
	hash           string          // "" when the key was not named by its hash
	jwt            string          // "" when the key was not named by a JWT
	header, claims json.RawMessage // of the JWT, as it stands there; nobody has checked it
}

// errNotValid is what the operator named, when it is not what it should be.
var errNotValid = errors.New("not valid")

// maxArgument is more than any token has; what is larger is not read to its end.
const maxArgument = 64 << 10

// readSubject takes a JWT, an api_key or a key's hash from the command line, or
// from stdin where the argument is "-". Nothing of it is believed yet: a JWT's
// signature is for the caller to check. The error wraps errNotValid and repeats no
// token.
func (a *app) readSubject(arg string) (subject, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, maxArgument))
		if err != nil {
			return subject{}, err
		}
		arg = strings.TrimSpace(string(text))
	}
	return parseSubject(arg)
}

func parseSubject(arg string) (subject, error) {
	if jwtauth.ValidAPIKey(arg) {
		return subject{apiKey: arg}, nil
	}
	// No api_key is that short, so nothing is ambiguous. key=… is how the log writes it.
	if hash := strings.TrimPrefix(arg, "key="); isHash(hash) {
		return subject{hash: hash}, nil
	}
	if strings.Count(arg, ".") != 2 {
		return subject{}, fmt.Errorf("%w: this is neither an api_key (16 to 128 letters, digits, - and _), "+
			"nor a JWT (three parts separated by dots), nor a key's hash from the log (12 hex digits)", errNotValid)
	}
	header, claims, err := jwtauth.Peek(arg)
	if err != nil {
		return subject{}, fmt.Errorf("%w: not a JWT: %w", errNotValid, err)
	}
	s := subject{jwt: arg, header: header, claims: claims}
	var named struct {
		APIKey string `json:"api_key"`
	}
	if json.Unmarshal(claims, &named) == nil && jwtauth.ValidAPIKey(named.APIKey) {
		s.apiKey = named.APIKey
	}
	return s, nil
}

// isHash reports whether a text has the form of [ledger.KeyHash].
func isHash(text string) bool {
	return len(text) == len(ledger.KeyHash("")) && strings.Trim(text, "0123456789abcdef") == ""
}

// readKey is readSubject for a command that needs the key itself.
func (a *app) readKey(arg string) (subject, error) {
	who, err := a.readSubject(arg)
	return who, errorOr(err, who.named)
}

// errorOr is err, or what check finds.
func errorOr(err error, check func() error) error {
	if err != nil {
		return err
	}
	return check()
}

// named reports whether the subject names a key at all.
func (s *subject) named() error {
	if s.apiKey == "" && s.hash == "" {
		return fmt.Errorf("%w: the JWT names no api_key", errNotValid)
	}
	return nil
}

// resolve finds the api_keys of the subjects that were named by a hash, with one
// walk over the keys for all of them. One that is not there is left without.
func (a *app) resolve(ctx context.Context, s *store, book *ledger.Ledger, subjects ...*subject) error {
	var hashes []string
	for _, who := range subjects {
		if who.hash != "" {
			hashes = append(hashes, who.hash)
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	p := a.progress("searching for " + counted(len(hashes), "hash", "hashes") + " among the keys")
	found, err := book.Hashed(ctx, hashes, p.Show)
	p.End()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the search for %s did not finish within %s; give it more time with --timeout",
			counted(len(hashes), "hash", "hashes"), duration.Format(s.timeout))
	case err != nil:
		return err
	}
	for _, who := range subjects {
		switch keys := found[who.hash]; {
		case len(keys) == 1:
			who.apiKey = keys[0]
		case len(keys) > 1:
			return fmt.Errorf("%w: %d keys have the hash %s: %s; name the one you mean by its api_key",
				errNotValid, len(keys), who.hash, strings.Join(keys, ", "))
		}
	}
	return nil
}

// resolveOne is resolve for a command that cannot do without the key.
func (a *app) resolveOne(ctx context.Context, s *store, book *ledger.Ledger, who *subject) error {
	if err := a.resolve(ctx, s, book, who); err != nil {
		return err
	}
	if who.apiKey == "" && who.hash != "" {
		return reworded{fmt.Sprintf("no key has the hash %s: its record was revoked or has expired, "+
			"or it is in another Redis or under another prefix", who.hash), ledger.ErrUnknown}
	}
	return nil
}

// reworded is an error in other words. It is still the one that it was.
type reworded struct {
	text string
	err  error
}

func (r reworded) Error() string { return r.text }
func (r reworded) Unwrap() error { return r.err }

// counted is a number with its noun: 1 key, 2 keys.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
