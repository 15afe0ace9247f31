package term

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a terminal is told (ECMA-48, and DEC's for the cursor).
const (
	CursorHide = "\x1b[?25l"
	CursorShow = "\x1b[?25h"
	cursorUp   = "\x1b[%dA"
	eraseRight = "\x1b[K"
	EraseBelow = "\x1b[J"
	Green      = "\x1b[32m"
	Yellow     = "\x1b[33m"
	Red        = "\x1b[31m"
	Plain      = "\x1b[m"
)

// Drawing is the view for a terminal. It writes over what it drew before, in one
// write, so that nothing flickers. Between the writes the cursor rests, hidden,
// in the corner where the drawing begins: a terminal that is resized folds lines
// anew, but leaves the beginning of the first where the cursor is.
type Drawing[T any] struct {
	Out    io.Writer
	Size   func() (width, height int)
	Colour bool
	Draw   func(seen T, trouble string, width, height int, colour bool) []string

	seen    T
	trouble string // why seen is old; "" if it is not
	width   int    // when last drawn; 0 for never
	failed  error
}

// Show draws what was seen. The error is that of writing.
func (d *Drawing[T]) Show(seen T) error {
	d.seen, d.trouble = seen, ""
	d.paint(false)
	return d.failed
}

// Away draws what was last seen, with the reason why it is old.
func (d *Drawing[T]) Away(err error) {
	d.trouble = err.Error()
	d.paint(false)
}

// Resize draws again, if anything was drawn.
func (d *Drawing[T]) Resize() {
	if d.width > 0 {
		d.paint(false)
	}
}

// End draws a last time, and leaves the cursor visible below.
func (d *Drawing[T]) End() {
	if d.width > 0 {
		d.paint(true)
	}
}

// paint leaves the cursor below the drawing and visible when it is the last.
func (d *Drawing[T]) paint(last bool) {
	var b bytes.Buffer
	width, height := d.Size()
	switch d.width {
	case 0:
		b.WriteString(CursorHide)
	case width:
	default:
		b.WriteString("\r" + EraseBelow) // what was folded anew is not under the new lines
	}
	d.width = width
	lines := d.Draw(d.seen, d.trouble, width, height, d.Colour)
	if last && d.trouble == "" {
		lines = lines[:max(len(lines)-1, 1)] // how to end it is of no use any more
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("\r" + line + eraseRight)
	}
	switch {
	case last:
		b.WriteString("\n" + EraseBelow + CursorShow)
	case len(lines) > 1:
		fmt.Fprintf(&b, "\r"+cursorUp, len(lines)-1)
	}
	_, d.failed = d.Out.Write(b.Bytes())
}

// StatusLine is the last line of a drawing.
func StatusLine(trouble string) string {
	if trouble != "" {
		return "as last seen; trying again: " + trouble
	}
	return "Ctrl-C ends it"
}

// Cut shortens a text to so many columns, and shows that it did.
func Cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}

// Printable takes from a text what a terminal would obey.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
