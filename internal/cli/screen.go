package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/charmbracelet/x/term"
	"github.com/muesli/termenv"
)

// screen is where text for people goes. On a terminal it is coloured, unless
// NO_COLOR is set, and folded to the width; elsewhere lines are left whole.
//
// Nothing that it writes but its own colours can control a terminal: what tokens
// and records say may have been written by anyone.
type screen struct {
	w     io.Writer
	width int // 0: not a terminal
	style *termenv.Output
	err   error // the first of writing; then nothing more is written
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w, style: termenv.NewOutput(w, termenv.WithProfile(termenv.Ascii))}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(file.Fd()) {
		return s
	}
	s.style = termenv.NewOutput(w)
	if termenv.EnvNoColor() {
		s.style.Profile = termenv.Ascii
	}
	if width, _, err := term.GetSize(file.Fd()); err == nil {
		s.width = width
	}
	return s
}

// onto is the screen with a buffer before it, which is the caller's to flush.
func (s *screen) onto(w io.Writer) *screen {
	buffered := *s
	buffered.w = w
	return &buffered
}

// The colours of the 16 that every terminal's owner can choose.
const (
	red    = "1"
	green  = "2"
	yellow = "3"
)

func (s *screen) paint(colour, text string) string {
	return s.style.String(text).Foreground(s.style.Color(colour)).String()
}

const (
	nameColumn = 14 // fits the names of claims
	textColumn = 2 + nameColumn + 2
	minText    = 10 // the least room that folding leaves for a text
)

// title begins a part.
func (s *screen) title(text string) { s.line("\n" + printable(text)) }

// row writes a name and its text. What does not fit stands beneath it, below the
// text's beginning.
func (s *screen) row(name, text string) { s.mark(" ", name, text) }

// mark is a row with a mark of one column, which may be painted, before it.
func (s *screen) mark(mark, name, text string) {
	lines := fold(printable(text), s.width-textColumn)
	head := fmt.Sprintf("%s %-*s  %s", mark, nameColumn, printable(name), lines[0])
	s.line(strings.TrimRight(head, " "))
	for _, line := range lines[1:] {
		s.line(strings.Repeat(" ", textColumn) + line)
	}
}

// line writes one, unless writing has failed already.
func (s *screen) line(text string) {
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
		for i := width; i > width/2; i-- {
			if rest[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, string(rest[:at]))
		rest = rest[at:]
		if rest[0] == ' ' {
			rest = rest[1:]
		}
	}
}

// printable is text with everything written out that a terminal could obey.
func printable(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			escapeRune(&b, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden also counts what is not UTF-8, whose place in a string U+FFFD takes.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// escapeRune writes r as JSON does.
func escapeRune(b *strings.Builder, r rune) {
	for _, unit := range utf16.Encode([]rune{r}) {
		fmt.Fprintf(b, `\u%04x`, unit)
	}
}

// safeJSON is JSON on one line that means the same and cannot control a terminal.
func safeJSON(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return []byte("null")
	}
	return []byte(printable(b.String()))
}

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
