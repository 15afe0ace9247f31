package inbound

import (
	"fmt"
	"strings"
)

const bearer = "bearer"

// readBearer takes the credential from the lines of the Authorization field,
// RFC 6750, 2.1: the scheme in any letter case, one space, one token.
func readBearer(lines []string) (string, error) {
	switch {
	case len(lines) > 1:
		return "", fmt.Errorf("%w: there is more than one Authorization header", ErrHeader)
	case len(lines) == 0:
		return "", fmt.Errorf("%w: there is no Authorization header", ErrNoToken)
	case lines[0] == "":
		return "", fmt.Errorf("%w: the Authorization header is empty", ErrNoToken)
	}
	rest, found := cutScheme(lines[0])
	if !found {
		return "", fmt.Errorf("%w: the Authorization scheme is not Bearer", ErrNoToken)
	}
	token, found := strings.CutPrefix(rest, " ")
	switch {
	case !found || strings.HasPrefix(token, " "):
		return "", fmt.Errorf("%w: exactly one space and a token must follow the scheme", ErrBadToken)
	case len(token) > maxToken:
		return "", fmt.Errorf("%w: the limit is %d bytes", ErrTokenTooLarge, maxToken)
	case !isToken68(token):
		return "", fmt.Errorf("%w: the token contains invalid characters", ErrBadToken)
	}
	return token, nil
}

// cutScheme returns the text after the Bearer scheme. A longer word that starts with
// "Bearer" is another scheme.
func cutScheme(value string) (rest string, found bool) {
	if len(value) < len(bearer) || !equalFold(value[:len(bearer)], bearer) {
		return "", false
	}
	rest = value[len(bearer):]
	return rest, rest == "" || !isToken(rest[:1])
}

// isToken68 is the syntax of a bare credential, RFC 9110, 11.2.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && consistsOf(s, &token68Bytes)
}
