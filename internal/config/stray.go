package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A flaw is a fault's whole text; other parse errors complete "must be …, ".
type flaw string

func (f flaw) Error() string { return string(f) }

// CheckSecret reports what got into a secret by accident, as from a file with
// Windows line ends, from echo or from quotation marks that nobody removed: white
// space at either end, quotation marks around it, and anywhere a control
// character, an invisible one, or white space other than a plain space, which a
// passphrase may hold. The error names the byte, and never shows the secret.
//
// What is not UTF-8 was not typed: those are raw bytes, any of which may occur.
func CheckSecret(text string) error {
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return flaw("is UTF-16, as PowerShell's > writes it; save it as UTF-8 without a byte order mark")
	}
	if !utf8.ValidString(text) {
		return nil
	}
	if quoted(text) {
		return flaw(fmt.Sprintf("bytes 1 and %d are %s around it; remove them, because every byte counts",
			len(text), quotationMarks[text[0]]))
	}
	if at, r := strayRune(text); at >= 0 {
		return flaw(fmt.Sprintf("byte %d%s is %s; remove it, because every byte counts", at+1, whereIn(text, at, r), nameOf(r)))
	}
	return nil
}

// strayRune returns the first character that does not belong into a value of one
// line, and its offset, or -1.
func strayRune(text string) (int, rune) {
	for at, r := range text {
		atEdge := at == 0 || at+utf8.RuneLen(r) == len(text)
		switch {
		case unicode.IsControl(r), invisible(r), unicode.IsSpace(r) && (r != ' ' || atEdge):
			return at, r
		}
	}
	return -1, 0
}

// invisible spares the joiners, which emoji and some scripts need.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d'
}

func whereIn(text string, at int, r rune) string {
	switch {
	case at+utf8.RuneLen(r) == len(text):
		return ", the last,"
	case at == 0:
		return ", the first,"
	default:
		return ""
	}
}

var quotationMarks = map[byte]string{'"': `double quotes (")`, '\'': "single quotes (')", '`': "backquotes (`)"}

// quoted reports whether one kind of quotation mark stands around a text.
func quoted(text string) bool {
	last := len(text) - 1
	return last > 0 && text[0] == text[last] && quotationMarks[text[0]] != ""
}

func nameOf(r rune) string {
	name := "a control character"
	switch {
	case r == 0:
		name = "a NUL"
	case r == '\t':
		name = "a tab"
	case r == '\n':
		name = "a line feed"
	case r == '\r':
		name = "a carriage return"
	case r == ' ':
		name = "a space"
	case r == '\u00a0':
		name = "a no-break space"
	case r == '\ufeff':
		name = "a byte order mark"
	case unicode.IsSpace(r):
		name = "white space"
	case invisible(r):
		name = "an invisible character"
	}
	if r < utf8.RuneSelf {
		return fmt.Sprintf("%s (0x%02X)", name, r)
	}
	return fmt.Sprintf("%s (%U)", name, r)
}

// complaint is the fault's text for a value that was not parsed.
func complaint(accepts, text string, err error) string {
	if whole, ok := errors.AsType[flaw](err); ok {
		return string(whole)
	}
	return "must be " + accepts + ", " + err.Error() + strayHint(text)
}

// strayHint says what may have got into a value by accident, or "".
func strayHint(text string) string {
	switch {
	case quoted(text):
		return "; remove the quotation marks, which count as part of the value (docker's --env-file keeps them)"
	case strings.HasSuffix(text, "\r"):
		return "; remove the carriage return at its end, as a file with Windows line ends leaves it"
	default:
		return ""
	}
}
