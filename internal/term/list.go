package term

import "io"

// List is a sheet with a line for each element as it comes, or a JSON array with
// an element a line. An array that was not ended is left open, so that half a list
// cannot be taken for a whole one.
type List struct {
	Sheet *Sheet
	JSON  bool
	begun bool
}

// Add writes an element at once: text for people, value as JSON.
func (l *List) Add(value any, text string) error {
	if !l.JSON {
		for n, line := range fold(Printable(text), l.Sheet.Width-len("  ")) {
			if n > 0 {
				line = "  " + line
			}
			l.Sheet.Line(line)
		}
		return l.Sheet.Err
	}
	line, err := lineOfJSON(value)
	if err != nil {
		return err
	}
	separator := "[\n"
	if l.begun {
		separator = ",\n"
	}
	l.begun = true
	_, err = l.Sheet.To.Write(append([]byte(separator), line...))
	return err
}

// End closes the array.
func (l *List) End() error {
	if !l.JSON {
		return nil
	}
	text := "\n]\n"
	if !l.begun {
		text = "[]\n"
	}
	_, err := io.WriteString(l.Sheet.To, text)
	return err
}
