package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// sheet is text for people. On a terminal it is coloured, unless NO_COLOR is set,
// and folded to the width; elsewhere lines are left whole.
//
// Nothing on it but its own colours can control a terminal: what tokens and
// records say may have been written by anyone.
type sheet struct {
	w      io.Writer
	width  int // 0: not a terminal
	colour bool
	err    error // the first of writing; then nothing more is written
}

// sheet is one that is written to w and shown on stdout.
func (a *app) sheet(w io.Writer) *sheet {
	s := &sheet{w: w, colour: a.colour()}
	if screen, ok := a.screen(); ok {
		s.width, _ = screen.size()
	}
	return s
}

func (s *sheet) paint(colour, text string) string {
	if !s.colour {
		return text
	}
	return colour + text + plain
}

const (
	nameColumn = 14 // fits the names of claims
	textColumn = 2 + nameColumn + 2
	minText    = 10 // the least room that folding leaves for a text
	beneath    = "    "
)

// title begins a part.
func (s *sheet) title(text string) {
	s.line("")
	for _, line := range fold(printable(text), s.width) {
		s.line(line)
	}
}

// row writes a name and its text. What does not fit stands beneath it, below the
// text's beginning; where there is no room for that, all of the text does.
func (s *sheet) row(name, text string) { s.mark(" ", name, text) }

// mark is a row with a mark of one column, which may be painted, before it.
func (s *sheet) mark(mark, name, text string) {
	if s.width > 0 && s.width-textColumn < minText {
		s.line(strings.TrimRight(mark+" "+printable(name), " "))
		if text != "" {
			for _, line := range fold(printable(text), s.width-len(beneath)) {
				s.line(beneath + line)
			}
		}
		return
	}
	lines := fold(printable(text), s.width-textColumn)
	head := fmt.Sprintf("%s %-*s  %s", mark, nameColumn, printable(name), lines[0])
	s.line(strings.TrimRight(head, " "))
	for _, line := range lines[1:] {
		s.line(strings.Repeat(" ", textColumn) + line)
	}
}

// line writes one, unless writing has failed already.
func (s *sheet) line(text string) {
	if s.err == nil {
		_, s.err = fmt.Fprintln(s.w, text)
	}
}

// fold breaks a text into lines of at most width columns, at blanks where there
// are any. A width too small to be a terminal's breaks nothing.
func fold(text string, width int) []string {
	if width < minText {
		return []string{text}
	}
	var lines []string
	for rest := []rune(text); ; {
		if len(rest) <= width {
			return append(lines, string(rest))
		}
		at := width
		for i := width; i > 0; i-- {
			if rest[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:at]), " "))
		rest = rest[at:]
		if rest[0] == ' ' {
			rest = rest[1:]
		}
	}
}

// safeJSON is JSON on one line that means the same and cannot control a terminal.
func safeJSON(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return []byte("null")
	}
	if !bytes.ContainsFunc(b.Bytes(), hidden) {
		return b.Bytes()
	}
	var safe bytes.Buffer
	for _, r := range b.String() {
		if !hidden(r) {
			safe.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&safe, `\u%04x`, unit)
		}
	}
	return safe.Bytes()
}

// hidden also counts what is not UTF-8, which is read as U+FFFD.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// writeJSON writes a value on a line of its own.
func writeJSON(w io.Writer, value any) error {
	line, err := lineOfJSON(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

func lineOfJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return safeJSON(b.Bytes()), err
}
