package jwtauth

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth   = 32
	maxMembers = 64 // of the outermost object; limits the search for duplicates
)

// fault says why an object was refused. The zero value means no fault.
type fault uint8

const (
	faultSyntax fault = iota + 1
	faultUTF8
	faultSurrogate
	faultDuplicate
	faultDepth
	faultMembers
)

var faultTexts = [...]string{
	faultSyntax:    "not one JSON object",
	faultUTF8:      "not valid UTF-8",
	faultSurrogate: "lone surrogate",
	faultDuplicate: "duplicate member name",
	faultDepth:     "nested too deep",
	faultMembers:   "too many members",
}

func (f fault) String() string { return faultTexts[f] }

// objectReader reads one JSON object (RFC 8259), member by member. Only white space may
// surround the object. It refuses what readers are known to disagree about (RFC 7493):
// duplicate names, invalid UTF-8, lone surrogates. It limits depth and number of members.
//
// It owns buf and unescapes strings in place, which never makes them longer. It stores
// offsets and faults, not slices and errors, so that buf stays on the caller's stack.
//
//	r := objectReader{buf: b}
//	for r.next() { … r.name() … r.value() … }
//	if err := r.err(); err != nil { … }
type objectReader struct {
	buf    []byte
	pos    int
	fault  fault
	closed bool

	names    [maxMembers]span // seen so far, unescaped
	members  int
	repeated span // the repeated name, if that is the fault
	current  span // the current member's value
	first    byte // the value's first byte in the source
}

// span is a range of buf.
type span struct{ from, to int }

// name is the current member's name, unescaped.
func (r *objectReader) name() []byte { return r.slice(r.names[r.members-1]) }

// value is the current member's value: the characters of a string, or the source of a
// number or literal. It has no meaning for a list or an object.
func (r *objectReader) value() []byte { return r.slice(r.current) }

// kind is the first byte of the current member's value, with 0 for every digit: one of
// " { [ - 0 t f n.
func (r *objectReader) kind() byte {
	if isDigit(r.first) {
		return '0'
	}
	return r.first
}

// err returns the fault that ended the reading, or nil.
func (r *objectReader) err() error {
	if r.fault == 0 {
		return nil
	}
	return fmt.Errorf("%s at byte %d", r.fault, r.pos)
}

// named adds the member's name to a fault, if the name is a known one. An unknown name is
// the token's own text, which no error repeats.
func (r *objectReader) named(err error, lists ...[]string) error {
	if r.fault != faultDuplicate {
		return err
	}
	for _, known := range lists {
		for _, name := range known {
			if string(r.slice(r.repeated)) == name {
				return fmt.Errorf("%s %q", r.fault, name)
			}
		}
	}
	return err
}

func (r *objectReader) slice(s span) []byte { return r.buf[s.from:s.to] }

// next moves to the next member. It returns false at the end of the object and at the
// first fault, which err then returns.
func (r *objectReader) next() bool {
	switch {
	case r.fault != 0 || r.closed:
		return false
	case r.members == 0:
		if !utf8.Valid(r.buf) {
			return r.fail(faultUTF8)
		}
		if !r.punctuation('{') {
			return r.fail(faultSyntax)
		}
		if r.punctuation('}') {
			return r.end()
		}
	case r.punctuation('}'):
		return r.end()
	case !r.punctuation(','):
		return r.fail(faultSyntax)
	}
	return r.member()
}

func (r *objectReader) end() bool {
	r.closed = true
	if r.pos != len(r.buf) {
		return r.fail(faultSyntax)
	}
	return false
}

func (r *objectReader) member() bool {
	if r.members == maxMembers {
		return r.fail(faultMembers)
	}
	name, ok := r.text()
	if !ok {
		return false
	}
	for _, seen := range r.names[:r.members] {
		if bytes.Equal(r.slice(seen), r.slice(name)) {
			r.repeated = name
			return r.fail(faultDuplicate)
		}
	}
	r.names[r.members] = name
	r.members++
	if !r.punctuation(':') {
		return r.fail(faultSyntax)
	}
	r.first = r.peek()
	r.current, ok = r.element(1)
	return ok
}

// element reads a value that stands inside depth objects and lists.
func (r *objectReader) element(depth int) (span, bool) {
	from := r.pos
	ok := false
	switch c := r.peek(); c {
	case '"':
		return r.text()
	case '{', '[':
		ok = r.nested(c, depth+1)
	case 't':
		ok = r.literal("true")
	case 'f':
		ok = r.literal("false")
	case 'n':
		ok = r.literal("null")
	default:
		ok = r.number()
	}
	return span{from, r.pos}, ok
}

func (r *objectReader) nested(opening byte, depth int) bool {
	if depth > maxDepth {
		return r.fail(faultDepth)
	}
	closing := opening + 2 // in ASCII, for both pairs
	r.punctuation(opening)
	if r.punctuation(closing) {
		return true
	}
	for {
		if opening == '{' {
			if _, ok := r.text(); !ok {
				return false
			}
			if !r.punctuation(':') {
				return r.fail(faultSyntax)
			}
		}
		if _, ok := r.element(depth); !ok {
			return false
		}
		if r.punctuation(closing) {
			return true
		}
		if !r.punctuation(',') {
			return r.fail(faultSyntax)
		}
	}
}

func (r *objectReader) literal(s string) bool {
	if !bytes.HasPrefix(r.buf[r.pos:], []byte(s)) {
		return r.fail(faultSyntax)
	}
	r.pos += len(s)
	return true
}

func (r *objectReader) number() bool {
	r.take('-')
	if !r.take('0') && !r.digits() {
		return r.fail(faultSyntax)
	}
	if r.take('.') && !r.digits() {
		return r.fail(faultSyntax)
	}
	if r.take('e') || r.take('E') {
		if !r.take('+') {
			r.take('-')
		}
		if !r.digits() {
			return r.fail(faultSyntax)
		}
	}
	return true
}

func (r *objectReader) digits() bool {
	from := r.pos
	for isDigit(r.peek()) {
		r.pos++
	}
	return r.pos > from
}

// text reads a string and unescapes it in place.
func (r *objectReader) text() (span, bool) {
	if !r.take('"') {
		return span{}, r.fail(faultSyntax)
	}
	s := span{r.pos, r.pos}
	for r.pos < len(r.buf) {
		switch c := r.buf[r.pos]; {
		case c == '"':
			r.pos++
			return s, true
		case c == '\\':
			char, ok := r.escape()
			if !ok {
				return span{}, false
			}
			s.to += utf8.EncodeRune(r.buf[s.to:], char)
		case c < ' ':
			return span{}, r.fail(faultSyntax)
		default:
			r.buf[s.to] = c
			s.to++
			r.pos++
		}
	}
	return span{}, r.fail(faultSyntax)
}

func (r *objectReader) escape() (rune, bool) {
	r.pos++ // the backslash
	c := r.peek()
	if c == 'u' {
		return r.unicodeEscape()
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, r.fail(faultSyntax)
	}
	r.pos++
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

// unicodeEscape reads uXXXX, and after a high surrogate the low one's escape.
func (r *objectReader) unicodeEscape() (rune, bool) {
	char, ok := r.codeUnit()
	if !ok || !utf16.IsSurrogate(char) {
		return char, ok
	}
	if !r.take('\\') || r.peek() != 'u' {
		return 0, r.fail(faultSurrogate)
	}
	low, ok := r.codeUnit()
	if !ok {
		return 0, false
	}
	if char = utf16.DecodeRune(char, low); char == unicode.ReplacementChar {
		return 0, r.fail(faultSurrogate)
	}
	return char, true
}

func (r *objectReader) codeUnit() (rune, bool) {
	const size = len("uXXXX")
	if len(r.buf)-r.pos < size {
		return 0, r.fail(faultSyntax)
	}
	unit, err := strconv.ParseUint(string(r.buf[r.pos+1:r.pos+size]), 16, 16)
	if err != nil {
		return 0, r.fail(faultSyntax)
	}
	r.pos += size
	return rune(unit), true
}

// punctuation takes c, with the white space on both its sides.
func (r *objectReader) punctuation(c byte) bool {
	r.space()
	if !r.take(c) {
		return false
	}
	r.space()
	return true
}

func (r *objectReader) space() {
	for {
		switch r.peek() {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *objectReader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	return true
}

// peek is the byte to be read next. At the end it is 0, which no rule accepts.
func (r *objectReader) peek() byte {
	if r.pos >= len(r.buf) {
		return 0
	}
	return r.buf[r.pos]
}

func (r *objectReader) fail(f fault) bool {
	r.fault = f
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
