package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tableSample is how many rows decide a table's widths. It holds no more than
// these, however long it gets; a later value that is wider moves its own row only.
const tableSample = 100

// table is rows with a header, in columns that stay where they are. The last
// column is as wide as it likes; on a terminal it is folded beneath itself.
type table struct {
	sheet  *sheet
	header []string

	widths []int      // nil until decided
	held   [][]string // until then
}

// row adds one. One that has fewer columns than the header is a note in the last
// that it has.
func (t *table) row(columns ...string) error {
	if t.widths != nil {
		t.print(columns)
		return t.sheet.err
	}
	if t.held = append(t.held, columns); len(t.held) == tableSample {
		return t.end()
	}
	return nil
}

// end prints what is held. It may be called again.
func (t *table) end() error {
	if len(t.held) == 0 {
		return t.sheet.err
	}
	t.widths = make([]int, len(t.header)-1)
	rows := append([][]string{t.header}, t.held...)
	for _, row := range rows {
		for i := range row[:len(row)-1] {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	t.held = nil
	for _, row := range rows {
		t.print(row)
	}
	return t.sheet.err
}

// minLastColumn is the least that the last column is folded to.
const minLastColumn = 16

func (t *table) print(columns []string) {
	head := ""
	last := len(columns) - 1
	for i, text := range columns[:last] {
		head += fmt.Sprintf("%-*s  ", t.widths[i], printable(text))
	}
	text, indent := printable(columns[last]), utf8.RuneCountInString(head)
	if width := t.sheet.width; width > 0 && width-indent < minLastColumn {
		text, head, indent = head+text, "", len("  ")
	}
	for n, line := range fold(text, t.sheet.width-indent) {
		if n > 0 {
			head = strings.Repeat(" ", indent)
		}
		t.sheet.line(strings.TrimRight(head+line, " "))
	}
}
