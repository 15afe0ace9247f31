package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is stdout. It remembers the write that failed, so that no command need
// look after the disk being full or the reader gone; what follows is not written.
type output struct {
	to     io.Writer
	failed error
}

func (o *output) Write(p []byte) (int, error) {
	if o.failed != nil {
		return 0, o.failed
	}
	n, err := o.to.Write(p)
	o.failed = err
	return n, err
}

// readerLeft reports whether the pipe that stdout is has been closed. Usually
// SIGPIPE ends the program then, but a parent may have it ignored.
func (o *output) readerLeft() bool { return errors.Is(o.failed, syscall.EPIPE) }

// screen is the terminal that stdout is, if it is one that can draw.
type screen struct{ file *os.File }

func (a *app) screen() (screen, bool) {
	to := a.out
	if o, ok := to.(*output); ok {
		to = o.to
	}
	f, ok := to.(*os.File)
	if !ok || a.getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return screen{}, false
	}
	return screen{f}, true
}

// size is the number of columns and rows, or the classic 80 by 24 for a terminal
// that does not know.
func (s screen) size() (width, height int) {
	width, height, err := term.GetSize(int(s.file.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// colour reports whether stdout is to be coloured: on a terminal, unless
// NO_COLOR says otherwise (https://no-color.org).
func (a *app) colour() bool {
	_, ok := a.screen()
	return ok && a.getenv("NO_COLOR") == ""
}

func (a *app) getenv(name string) string {
	environ := a.environ()
	i := slices.IndexFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
	if i < 0 {
		return ""
	}
	return environ[i][len(name)+1:]
}

// outputFlag declares -o, the choice between text for people and JSON for
// scripts; checkOutput holds it to these.
func outputFlag(cmd *cobra.Command, output *string) {
	*output = "text"
	cmd.Flags().VarP(textValue{output, "format"}, "output", "o", "text or json")
	completeFlag(cmd, "output", "text", "json")
}

func checkOutput(format string) error {
	if format != "text" && format != "json" {
		return fmt.Errorf(`-o must be text or json, not %q`, format)
	}
	return nil
}
