package cli

import (
	"fmt"
	"strings"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/term"
)

// frame is what a drawing of one key shows.
type frame struct {
	usage   desk.Standing
	trouble string // why the usage is an old one; "" when it is not
}

// longestBar keeps a bar on a wide terminal in proportion to the figures.
const longestBar = 50

// draw returns the frame's lines, which fit into a terminal of this size: the
// last column stays free, because some terminals begin a new line once it is
// written to. What does not fit is cut off. The frame's height depends on the
// terminal's alone.
func (f frame) draw(width, height int, colour bool) []string {
	figures := usageLines(f.usage)
	lines := append([]string{figures[0], usageBar(f.usage, min(width-1, longestBar+len(" 100%")))}, figures[1:]...)
	lines = append(lines, term.Printable(f.status()))
	lines = lines[:max(min(len(lines), height-1), 1)]
	for i, line := range lines {
		lines[i] = term.Cut(line, max(width-1, 1))
	}
	if colour && len(lines) > 1 {
		lines[1] = usageColour(f.usage) + lines[1] + term.Plain
	}
	return lines
}

func (f frame) status() string { return term.StatusLine(f.trouble) }

// usageBar shows how much is used, in width columns with the percentage. It is full
// only when nothing is left, and empty only when nothing is used.
func usageBar(u desk.Standing, width int) string {
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

// usageColour is that of the bar: red when nothing is left, yellow from three quarters.
func usageColour(u desk.Standing) string {
	switch {
	case u.Remaining == 0:
		return term.Red
	case u.Used >= 3*u.Remaining:
		return term.Yellow
	}
	return term.Green
}
