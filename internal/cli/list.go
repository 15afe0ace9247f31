package cli

import (
	"fmt"
	"io"
)

// list writes one element after another as they come: a line of text each, or the
// elements of a JSON array, one a line. An array that was not ended is left open,
// so that half a list cannot be taken for a whole one.
type list struct {
	w      io.Writer
	json   bool
	begun  bool
	screen *screen
}

func newList(w io.Writer, output string) *list {
	return &list{w: w, json: output == "json", screen: newScreen(w)}
}

func (l *list) add(value any, text string) error {
	if !l.json {
		for n, line := range fold(printable(text), l.screen.width) {
			if n > 0 {
				line = "  " + line
			}
			l.screen.line(line)
		}
		return l.screen.err
	}
	separator := "[\n"
	if l.begun {
		separator = ",\n"
	}
	l.begun = true
	line, err := lineOfJSON(value)
	if err != nil {
		return err
	}
	_, err = l.w.Write(append([]byte(separator), line...))
	return err
}

func (l *list) end() error {
	if !l.json {
		return nil
	}
	text := "\n]\n"
	if !l.begun {
		text = "[]\n"
	}
	_, err := fmt.Fprint(l.w, text)
	return err
}
