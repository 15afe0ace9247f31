package term

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

// Sheet is text for people. On a terminal it is coloured, unless NO_COLOR is set,
// and folded to the width; elsewhere lines are left whole.
//
// Nothing on it but its own colours can control a terminal: what tokens and
// records say may have been written by anyone.
type Sheet struct {
	To     io.Writer
	Width  int // 0: not a terminal
	Colour bool
	Err    error // the first of writing; then nothing more is written
}

// Paint colours a text, if the sheet is coloured.
func (s *Sheet) Paint(colour, text string) string {
	if !s.Colour {
		return text
	}
	return colour + text + Plain
}

const (
	nameColumn = 14 // fits the names of claims
	textColumn = 2 + nameColumn + 2
	minText    = 10 // the least room that folding leaves for a text
	beneath    = "    "
)

// Title begins a part.
func (s *Sheet) Title(text string) {
	s.Line("")
	for _, line := range fold(Printable(text), s.Width) {
		s.Line(line)
	}
}

// Row writes a name and its text. What does not fit stands beneath it, below the
// text's beginning; where there is no room for that, all of the text does.
func (s *Sheet) Row(name, text string) { s.Mark(" ", name, text) }

// Mark is a row with a mark of one column, which may be painted, before it.
func (s *Sheet) Mark(mark, name, text string) {
	if s.Width > 0 && s.Width-textColumn < minText {
		s.Line(strings.TrimRight(mark+" "+Printable(name), " "))
		if text != "" {
			for _, line := range fold(Printable(text), s.Width-len(beneath)) {
				s.Line(beneath + line)
			}
		}
		return
	}
	lines := fold(Printable(text), s.Width-textColumn)
	head := fmt.Sprintf("%s %-*s  %s", mark, nameColumn, Printable(name), lines[0])
	s.Line(strings.TrimRight(head, " "))
	for _, line := range lines[1:] {
		s.Line(strings.Repeat(" ", textColumn) + line)
	}
}

// Line writes one, unless writing has failed already.
func (s *Sheet) Line(text string) {
	if s.Err == nil {
		_, s.Err = fmt.Fprintln(s.To, text)
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

// SafeJSON is JSON on one line that means the same and cannot control a terminal.
func SafeJSON(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return []byte("null")
	}
	if !bytes.ContainsFunc(b.Bytes(), Hidden) {
		return b.Bytes()
	}
	var safe bytes.Buffer
	for _, r := range b.String() {
		if !Hidden(r) {
			safe.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&safe, `\u%04x`, unit)
		}
	}
	return safe.Bytes()
}

// Hidden also counts what is not UTF-8, which is read as U+FFFD.
func Hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// WriteJSON writes a value on a line of its own.
func WriteJSON(w io.Writer, value any) error {
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
	return SafeJSON(b.Bytes()), err
}
