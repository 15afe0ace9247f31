package cli

import "io"

// list is a sheet with a line for each element as it comes, or a JSON array with
// an element a line. An array that was not ended is left open, so that half a list
// cannot be taken for a whole one.
type list struct {
	sheet *sheet
	json  bool
	begun bool
}

func (l *list) add(value any, text string) error {
	if !l.json {
		for n, line := range fold(printable(text), l.sheet.width-len("  ")) {
			if n > 0 {
				line = "  " + line
			}
			l.sheet.line(line)
		}
		return l.sheet.err
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
	_, err = l.sheet.w.Write(append([]byte(separator), line...))
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
	_, err := io.WriteString(l.sheet.w, text)
	return err
}
