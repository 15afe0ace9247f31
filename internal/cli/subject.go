package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// subject is the key that an operator named, by itself or through a JWT.
type subject struct {
	apiKey         string
	jwt            string          // "" when the key was named by itself
	header, claims json.RawMessage // of the JWT, as it stands there; nobody has checked it
}

// errNotValid is what the operator named, when it is not what it should be.
var errNotValid = errors.New("not valid")

// maxArgument is more than any token has; what is larger is not read to its end.
const maxArgument = 64 << 10

// readSubject takes a JWT or an api_key from the command line, or from stdin
// where the argument is "-". Nothing of it is believed yet: a JWT's signature is
// for the caller to check. The error wraps errNotValid and repeats no token.
func (a *app) readSubject(arg string) (subject, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, maxArgument))
		if err != nil {
			return subject{}, err
		}
		arg = strings.TrimSpace(string(text))
	}
	if jwtauth.ValidAPIKey(arg) {
		return subject{apiKey: arg}, nil
	}
	if strings.Count(arg, ".") != 2 {
		return subject{}, fmt.Errorf("%w: neither a JWT (three parts separated by dots) nor an api_key (16 to 128 letters, digits, - and _)", errNotValid)
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
