// Package httpsyntax reads the parts of HTTP/1.1's syntax that requests and
// responses have in common: where a header ends, and what one of its lines says.
//
// It is strict, and it does no I/O. What a field means, and what happens to a
// message that breaks the rules, is for its callers to decide.
package httpsyntax

import (
	"bytes"
	"errors"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ErrBareLF means that a line ends in LF alone. RFC 9112, 2.2, allows a
// recipient to accept it; two recipients could then disagree.
var ErrBareLF = errors.New("a line does not end in CR LF")

// ScanHead looks for the empty line that ends a header. b begins with the
// header; its first scanned bytes are whole lines that earlier calls have seen,
// so that a header which arrives in pieces is scanned once. ScanHead returns how
// many bytes of b are whole lines now, and whether the last of them is the empty
// one. The error is [ErrBareLF].
func ScanHead(b []byte, scanned int) (n int, ended bool, err error) {
	for {
		i := bytes.IndexByte(b[scanned:], '\n')
		if i < 0 {
			return scanned, false, nil
		}
		if i == 0 || b[scanned+i-1] != '\r' {
			return scanned, false, ErrBareLF
		}
		if scanned += i + 1; i == 1 {
			return scanned, true, nil
		}
	}
}

// ParseField reads one line of a header, without its end: a name, a colon and a
// value, RFC 9112, 5. The name is returned in canonical form, and the value
// without the blanks around it. A line that is folded into the one before begins
// with a blank, and is not valid.
func ParseField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return "", "", false
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, true
}

// Disguised reports whether name has the letters of Content-Length or
// Transfer-Encoding in their order, but is neither: Transfer---Encoding,
// Content.Length. Some recipients drop what is not a letter from a name, and
// would then see another end of the message than the sender did.
func Disguised(name string) bool {
	const length, encoding = "Content-Length", "Transfer-Encoding"
	return spells(name, "contentlength") && !strings.EqualFold(name, length) ||
		spells(name, "transferencoding") && !strings.EqualFold(name, encoding)
}

// spells reports whether the letters of name, in lower case, are these.
func spells(name, letters string) bool {
	for i := range len(name) {
		c := name[i] | 0x20
		if c < 'a' || c > 'z' {
			continue
		}
		if letters == "" || c != letters[0] {
			return false
		}
		letters = letters[1:]
	}
	return letters == ""
}
