package inbound

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// splitTarget splits a request target in origin form (RFC 9112, 3.2.1) into the raw
// path and the raw query with its question mark. It refuses the other forms, and every
// path that some backend could read as a different one.
func splitTarget(target string) (path, query string, err error) {
	if len(target) > maxTarget {
		return "", "", fmt.Errorf("%w: the limit is %d bytes", ErrTargetTooLong, maxTarget)
	}
	if !strings.HasPrefix(target, "/") {
		return "", "", fmt.Errorf("%w: the target does not start with a slash", ErrMalformed)
	}
	path = target
	if i := strings.IndexByte(target, '?'); i >= 0 {
		path, query = target[:i], target[i:]
	}
	fault := pathFault(path)
	if fault == "" {
		fault = queryFault(query)
	}
	if fault != "" {
		return "", "", fmt.Errorf("%w: %s", ErrMalformed, fault)
	}
	return path, query, nil
}

// loggablePath leaves out the query, which may contain secrets, and any target that is
// not a path: an absolute one may contain a password.
func loggablePath(target string) string {
	if !strings.HasPrefix(target, "/") {
		return ""
	}
	path := loggable(target)
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return path
}

// pathByte is the class of a byte in a path.
type pathByte uint8

const (
	forbidden pathByte = iota
	plain
	slash
	percent
)

var pathBytes = func() (table [256]pathByte) {
	for c := '!'; c <= '~'; c++ {
		table[c] = plain
	}
	table['/'], table['%'] = slash, percent
	table['\\'], table[';'], table['#'] = forbidden, forbidden, forbidden
	return table
}()

// pathFault says in a clause what is wrong with a path that starts with a slash. Like
// all fault functions it returns "" if nothing is.
func pathFault(path string) string {
	for i := 0; i < len(path); {
		fault, length := "", 1
		switch c := path[i]; pathBytes[c] {
		case plain:
		case slash:
			fault = segmentFault(path[i+1:])
		case percent:
			length, fault = escapeFault(path[i:])
		default:
			fault = forbiddenFault(c)
		}
		if fault != "" {
			return fault
		}
		i += length
	}
	return ""
}

// segmentFault checks the start of rest's first segment. Only the path's last segment
// may be empty.
func segmentFault(rest string) string {
	if rest == "" {
		return ""
	}
	switch rest[0] {
	case '/':
		return "the path contains an empty segment"
	case '.':
		rest = strings.TrimPrefix(rest[1:], ".")
		if rest == "" || rest[0] == '/' {
			return "the path contains a dot segment"
		}
	}
	return ""
}

func forbiddenFault(c byte) string {
	switch c {
	case '\\':
		return "the path contains a backslash"
	case ';':
		return "the path contains a semicolon"
	case '#':
		return "the target contains a fragment"
	}
	return "the path contains a space, a control character or a non-ASCII byte"
}

// escapeFault checks the percent-encoded character that s starts with, and returns its
// length. Bytes over 0x7f must form one UTF-8 character.
func escapeFault(s string) (length int, fault string) {
	first, ok := unescape(s)
	switch {
	case !ok:
		return 0, "the path contains a percent sign without two hexadecimal digits"
	case first < utf8.RuneSelf:
		return 3, byteFault(first)
	}
	character := [utf8.UTFMax]byte{first}
	for n := 1; n < len(character); n++ {
		if character[n], ok = unescape(s[3*n:]); !ok {
			break
		}
		if _, size := utf8.DecodeRune(character[:n+1]); size == n+1 {
			return 3 * size, ""
		}
	}
	return 0, "the path contains percent-encoded bytes that are not UTF-8"
}

// byteFault refuses an encoded character that changes a path's meaning when it is
// decoded early or twice, and one that is equivalent to the plain character (RFC 3986,
// 6.2.2.2): byte-by-byte route matching would not see that /%61dmin is /admin.
func byteFault(c byte) string {
	switch c {
	case '-', '_', '~':
		return unreservedFault
	case '.', '/', '\\', '%', '#', '?', ';':
		return "the path contains an encoded dot, slash, backslash, percent sign, hash, question mark or semicolon"
	}
	switch {
	case c < ' ' || c == 0x7f:
		return "the path contains an encoded control character"
	case alphanumericBytes[c]:
		return unreservedFault
	}
	return ""
}

const unreservedFault = "the path contains an encoded letter, digit, hyphen, underscore or tilde: send it unencoded"

// unescape decodes the %XX that s starts with.
func unescape(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := hexDigits[s[1]], hexDigits[s[2]]
	return high<<4 | low&0x0f, high|low < 16
}

// hexDigits gives the value of a hexadecimal digit, and 0xff for other bytes.
var hexDigits = func() (table [256]byte) {
	for c := range table {
		table[c] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		table[c] = byte(i)
	}
	for i, c := range []byte("ABCDEF") {
		table[c] = byte(10 + i)
	}
	return table
}()

// queryFault accepts everything that a request line may contain.
func queryFault(query string) string {
	for i := range len(query) {
		switch c := query[i]; {
		case c <= ' ', c == 0x7f:
			return "the query contains a space or a control character"
		case c == '#':
			return "the target contains a fragment"
		}
	}
	return ""
}
