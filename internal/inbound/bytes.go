package inbound

import "golang.org/x/net/http/httpguts"

// byteSet says for every byte whether it is a member.
type byteSet [256]bool

const alphanumerics = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

var (
	token68Bytes      = newByteSet(alphanumerics + "-._~+/") // RFC 9110, 11.2, without its padding
	requestIDBytes    = newByteSet(alphanumerics + "-._")
	hostBytes         = newByteSet(alphanumerics + "-._")
	alphanumericBytes = newByteSet(alphanumerics)
	hyphenatedBytes   = newByteSet(alphanumerics + "-")
	digitBytes        = newByteSet("0123456789")
	visibleBytes      = newByteRange('!', '~')
)

func newByteSet(members string) (set byteSet) {
	for _, c := range []byte(members) {
		set[c] = true
	}
	return set
}

func newByteRange(first, last byte) (set byteSet) {
	for c := int(first); c <= int(last); c++ {
		set[c] = true
	}
	return set
}

// isToken serves methods and schemes, too: a header name is a token (RFC 9110, 5.1).
func isToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

func consistsOf(s string, set *byteSet) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// equalFold reports whether s equals lower, ignoring case in ASCII only:
// strings.EqualFold would accept a Kelvin sign for a k and a long s for an s.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// loggable returns s up to the first byte that could disturb a log, cut to maxLoggable bytes.
func loggable(s string) string {
	s = s[:min(len(s), maxLoggable)]
	for i := range len(s) {
		if !visibleBytes[s[i]] {
			return s[:i]
		}
	}
	return s
}
