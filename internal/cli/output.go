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

	"github.com/tykctl/tykctl/internal/term"
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

// screen is stdout, if it is a terminal that can draw.
func (a *Program) screen() (term.Screen, bool) {
	to := a.Out
	if o, ok := to.(*output); ok {
		to = o.to
	}
	f, ok := to.(*os.File)
	if !ok {
		return term.Screen{}, false
	}
	return a.screenOf(f)
}

// screenOf is a file's terminal, if it is one that can draw.
func (a *Program) screenOf(f *os.File) (term.Screen, bool) {
	if a.getenv("TERM") == "dumb" || !term.IsTerminal(f) {
		return term.Screen{}, false
	}
	return term.Screen{File: f}, true
}

// colour reports whether stdout is to be coloured: on a terminal, unless
// NO_COLOR says otherwise (https://no-color.org).
func (a *Program) colour() bool {
	_, ok := a.screen()
	return ok && a.getenv("NO_COLOR") == ""
}

// sheet is one that is written to w and shown on stdout.
func (a *Program) sheet(w io.Writer) *term.Sheet {
	s := &term.Sheet{To: w, Colour: a.colour()}
	if screen, ok := a.screen(); ok {
		s.Width, _ = screen.Size()
	}
	return s
}

// progress is a line on stderr, if that is a terminal.
func (a *Program) progress(what string) *term.Progress {
	if f, ok := a.Err.(*os.File); ok {
		if _, ok = a.screenOf(f); ok {
			return term.NewProgress(f, what)
		}
	}
	return term.NewProgress(nil, what)
}

func (a *Program) getenv(name string) string {
	environ := a.Environ()
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
