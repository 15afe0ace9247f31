package cli

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
	cursorHide = "\x1b[?25l"
	cursorShow = "\x1b[?25h"
	cursorUp   = "\x1b[%dA"
	eraseRight = "\x1b[K"
	eraseBelow = "\x1b[J"
	green      = "\x1b[32m"
	yellow     = "\x1b[33m"
	red        = "\x1b[31m"
	plain      = "\x1b[m"
)

// drawing is the view for a terminal. It writes over what it drew before, in one
// write, so that nothing flickers. Between the writes the cursor rests, hidden,
// in the corner where the drawing begins: a terminal that is resized folds lines
// anew, but leaves the beginning of the first where the cursor is.
type drawing[T any] struct {
	out    io.Writer
	size   func() (width, height int)
	colour bool
	draw   func(seen T, trouble string, width, height int, colour bool) []string

	seen    T
	trouble string // why seen is old; "" if it is not
	width   int    // when last drawn; 0 for never
	failed  error
}

func (d *drawing[T]) show(seen T) error {
	d.seen, d.trouble = seen, ""
	d.paint(false)
	return d.failed
}

func (d *drawing[T]) away(err error) {
	d.trouble = err.Error()
	d.paint(false)
}

func (d *drawing[T]) resize() {
	if d.width > 0 {
		d.paint(false)
	}
}

func (d *drawing[T]) end() {
	if d.width > 0 {
		d.paint(true)
	}
}

// paint leaves the cursor below the drawing and visible when it is the last.
func (d *drawing[T]) paint(last bool) {
	var b bytes.Buffer
	width, height := d.size()
	switch d.width {
	case 0:
		b.WriteString(cursorHide)
	case width:
	default:
		b.WriteString("\r" + eraseBelow) // what was folded anew is not under the new lines
	}
	d.width = width
	lines := d.draw(d.seen, d.trouble, width, height, d.colour)
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
		b.WriteString("\n" + eraseBelow + cursorShow)
	case len(lines) > 1:
		fmt.Fprintf(&b, "\r"+cursorUp, len(lines)-1)
	}
	_, d.failed = d.out.Write(b.Bytes())
}

// frame is what a drawing of one key shows.
type frame struct {
	usage   usageReport
	trouble string // why the usage is an old one; "" when it is not
}

// longestBar keeps a bar on a wide terminal in proportion to the figures.
const longestBar = 50

// draw returns the frame's lines, which fit into a terminal of this size: the
// last column stays free, because some terminals begin a new line once it is
// written to. What does not fit is cut off. The frame's height depends on the
// terminal's alone.
func (f frame) draw(width, height int, colour bool) []string {
	figures := f.usage.lines()
	lines := append([]string{figures[0], f.usage.bar(min(width-1, longestBar+len(" 100%")))}, figures[1:]...)
	lines = append(lines, printable(f.status()))
	lines = lines[:max(min(len(lines), height-1), 1)]
	for i, line := range lines {
		lines[i] = cut(line, max(width-1, 1))
	}
	if colour && len(lines) > 1 {
		lines[1] = f.usage.colour() + lines[1] + plain
	}
	return lines
}

func (f frame) status() string { return statusLine(f.trouble) }

// statusLine is the last line of a drawing.
func statusLine(trouble string) string {
	if trouble != "" {
		return "as last seen; trying again: " + trouble
	}
	return "Ctrl-C ends it"
}

// bar shows how much is used, in width columns with the percentage. It is full
// only when nothing is left, and empty only when nothing is used.
func (u usageReport) bar(width int) string {
	cells := max(width-len(" 100%"), 1)
	filled, percent := cells, int64(100)
	if u.Remaining > 0 {
		whole := u.Used + u.Remaining
		percent = u.Used * 100 / whole
		filled = int(float64(cells) * float64(u.Used) / float64(whole))
		filled = min(filled, cells-1)
		if u.Used > 0 {
			filled = max(filled, 1)
		}
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", cells-filled) + fmt.Sprintf(" %3d%%", percent)
}

// colour is that of the bar: red when nothing is left, yellow from three quarters.
func (u usageReport) colour() string {
	switch {
	case u.Remaining == 0:
		return red
	case u.Used >= 3*u.Remaining:
		return yellow
	}
	return green
}

// cut shortens a text to so many columns, and shows that it did.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-1]) + "…"
}

// printable takes from a text what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
