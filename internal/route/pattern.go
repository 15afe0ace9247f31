package route

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrPattern is wrapped by every error of [Check].
var ErrPattern = errors.New("route pattern")

// Check says what is wrong with a pattern and how to correct it. Besides bad syntax it
// refuses what the gateway accepts in no request, such as a dot segment or an empty one:
// a pattern that never matches is a mistake. The error wraps [ErrPattern].
func Check(pattern string) error {
	if _, _, fault := parse(pattern); fault != "" {
		return fmt.Errorf("%w %q: %s", ErrPattern, pattern, fault)
	}
	return nil
}

// parse splits a pattern. The method is "" if the pattern has none. A fault is a sentence
// for people; method and path are then meaningless.
func parse(pattern string) (method, path, fault string) {
	path = pattern
	if !strings.HasPrefix(pattern, "/") {
		before, after, found := strings.Cut(pattern, " ")
		if !found {
			return "", "", "must start with / or with a method and one space, as in /users/* or GET /users/*"
		}
		if fault := methodFault(before); fault != "" {
			return "", "", fault
		}
		method, path = before, after
	}
	if fault := pathFault(path); fault != "" {
		return "", "", fault
	}
	return method, path, ""
}

// methodFault requires a token (RFC 9110) without lower-case letters.
func methodFault(method string) string {
	if method == "" {
		return "must not start with a space: write the path alone, or put a method and one space before it"
	}
	for _, c := range []byte(method) {
		switch {
		case 'a' <= c && c <= 'z':
			return "the method must be in upper case, as in GET /users/*"
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return "the method contains an invalid character: write one such as GET or POST"
		}
	}
	return ""
}

func pathFault(path string) string {
	switch {
	case strings.HasPrefix(path, " "):
		return "exactly one space must separate the method and the path"
	case !strings.HasPrefix(path, "/"):
		return "the path must start with /, as in GET /users/*"
	}
	if fault := byteFault(path); fault != "" {
		return fault
	}
	rest, more := path[1:], true
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if fault := segmentFault(segment, !more); fault != "" {
			return fault
		}
	}
	return ""
}

func byteFault(path string) string {
	for i, c := range []byte(path) {
		switch {
		case c == '%':
			if fault := escapeFault(path[i:]); fault != "" {
				return fault
			}
		case c == '?':
			return "routes match the path only: leave out the query, from the ? on"
		case c == '#':
			return "a fragment never reaches a server: leave it out, from the # on"
		case c == ' ', c == '\t':
			return "the path contains a space: write %20, as clients send it"
		case c == '\\', c == ';':
			return "the gateway refuses paths with a backslash or a semicolon: leave it out"
		case c < ' ', c >= 0x7f:
			return "the path must be visible ASCII: write other bytes percent-encoded, as clients send them"
		}
	}
	return ""
}

// escapeFault checks the percent-encoded byte that s starts with. It refuses the same
// bytes as package inbound: requests with them are never matched.
func escapeFault(s string) string {
	b, err := hex.DecodeString(s[1:min(len(s), 3)])
	if err != nil || len(b) == 0 {
		return "the gateway refuses paths with a percent sign without two hexadecimal digits: leave it out"
	}
	escape, c := s[:3], b[0]
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
		return fmt.Sprintf("the gateway refuses paths with %s: write %c, which means the same", escape, c)
	case c < ' ', c == 0x7f, strings.IndexByte(`/\%#?;`, c) >= 0:
		return fmt.Sprintf("the gateway refuses paths with %s: leave it out", escape)
	}
	return ""
}

func segmentFault(segment string, last bool) string {
	switch {
	case segment == "*", segment == "**" && last:
		return ""
	case segment == "**":
		return "** is allowed only at the end, as in /files/**: use * for one segment in the middle"
	case strings.Contains(segment, "*"):
		return "* must be a whole segment, as in /users/* or /users/*/posts"
	case segment == "." || segment == "..":
		return "the gateway refuses paths with a dot segment: write the path without it"
	case segment == "" && !last:
		return "the gateway refuses paths with an empty segment: write / once"
	}
	return ""
}
