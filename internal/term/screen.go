package term

import (
	"os"

	"golang.org/x/term"
)

// Screen is a terminal to draw on.
type Screen struct{ File *os.File }

// IsTerminal reports whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Size is the number of columns and rows, or the classic 80 by 24 for a terminal
// that does not know.
func (s Screen) Size() (width, height int) {
	width, height, err := term.GetSize(int(s.File.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}
