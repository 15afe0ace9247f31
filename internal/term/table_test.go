package term

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	table := &Table{Sheet: &Sheet{To: &b}, Header: []string{"NAME", "N", "TEXT"}}
	if err := table.Row("a", "1000000", "some text"); err != nil {
		t.Fatal(err)
	}
	_ = table.Row("bcdefg", "unusable: because of \x1b[31mthis")
	if b.Len() > 0 {
		t.Error("printed before the widths are known")
	}
	for i := range 2 * tableSample {
		_ = table.Row("row", fmt.Sprint(i), "")
	}
	_ = table.Row("a long name, late", "5", "moves itself only")
	_ = table.Row("z", "6", "text")
	if err := errors.Join(table.End(), table.End()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if len(table.held) > 0 || len(lines) != 2*tableSample+6 {
		t.Errorf("%d lines, %d held", len(lines), len(table.held))
	}
	for n, want := range map[int]string{
		0: "NAME    N        TEXT", 1: "a       1000000  some text", 2: "bcdefg  unusable: because of ?[31mthis", 3: "row     0",
		len(lines) - 3: "a long name, late  5        moves itself only", len(lines) - 2: "z       6        text",
	} {
		if lines[n] != want {
			t.Errorf("line %d: %q, want %q", n, lines[n], want)
		}
	}
}

func TestTableOnATerminal(t *testing.T) {
	for width, want := range map[int]string{
		40: "NAME        N  TEXT\nsome name   1  one two three four five\n               six seven\n",
		24: "NAME        N  TEXT\nsome name   1  one two\n  three four five six\n  seven\n",
	} {
		var b strings.Builder
		table := &Table{Sheet: &Sheet{To: &b, Width: width}, Header: []string{"NAME", "N", "TEXT"}}
		_ = table.Row("some name ", "1", "one two three four five six seven")
		if err := table.End(); err != nil || b.String() != want {
			t.Errorf("%d columns:\n%s\nwant\n%s(%v)", width, b.String(), want, err)
		}
	}
}

func TestProgress(t *testing.T) {
	var b strings.Builder
	now := time.Unix(0, 0)
	p := &Progress{to: &b, what: "searching", now: func() time.Time { return now }, next: now.Add(progressAfter)}
	p.Show(1)
	p.End()
	if b.Len() > 0 {
		t.Errorf("quick work shows %q", b.String())
	}
	now = now.Add(progressAfter)
	p.Show(1000)
	p.Show(2000) // too soon
	now = now.Add(progressEach)
	p.Show(3000)
	p.End()
	if want := "\rsearching: 1000 so far\x1b[K\rsearching: 3000 so far\x1b[K\r\x1b[K"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
