package term

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tableSample is how many rows decide a table's widths. It holds no more than
// these, however long it gets; a later value that is wider moves its own row only.
const tableSample = 100

// Table is rows with a header, in columns that stay where they are. The last
// column is as wide as it likes; on a terminal it is folded beneath itself.
type Table struct {
	Sheet  *Sheet
	Header []string

	widths []int      // nil until decided
	held   [][]string // until then
}

// Row adds one. One that has fewer columns than the header is a note in the last
// that it has.
func (t *Table) Row(columns ...string) error {
	if t.widths != nil {
		t.print(columns)
		return t.Sheet.Err
	}
	if t.held = append(t.held, columns); len(t.held) == tableSample {
		return t.End()
	}
	return nil
}

// End prints what is held. It may be called again.
func (t *Table) End() error {
	if len(t.held) == 0 {
		return t.Sheet.Err
	}
	t.widths = make([]int, len(t.Header)-1)
	rows := append([][]string{t.Header}, t.held...)
	for _, row := range rows {
		for i := range row[:len(row)-1] {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	t.held = nil
	for _, row := range rows {
		t.print(row)
	}
	return t.Sheet.Err
}

// minLastColumn is the least that the last column is folded to.
const minLastColumn = 16

func (t *Table) print(columns []string) {
	head := ""
	last := len(columns) - 1
	for i, text := range columns[:last] {
		head += fmt.Sprintf("%-*s  ", t.widths[i], Printable(text))
	}
	text, indent := Printable(columns[last]), utf8.RuneCountInString(head)
	if width := t.Sheet.Width; width > 0 && width-indent < minLastColumn {
		text, head, indent = head+text, "", len("  ")
	}
	for n, line := range fold(text, t.Sheet.Width-indent) {
		if n > 0 {
			head = strings.Repeat(" ", indent)
		}
		t.Sheet.Line(strings.TrimRight(head+line, " "))
	}
}
