package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/term"
)

// look is what a watch looks at, and how it is shown.
type look[T any] struct {
	every time.Duration
	see   func(context.Context) (T, error)
	// draw fits it into a terminal; trouble says why it is old, "" if it is not.
	draw func(seen T, trouble string, width, height int, colour bool) []string
	text func(T) error // prints it as text where there is no terminal
}

// watch shows what is seen, anew at each tick, until Ctrl-C.
func watch[T any](ctx context.Context, a *Program, l look[T], output string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	resized := make(chan os.Signal, 1)
	onResize(resized)
	defer signal.Stop(resized)

	w := term.Watcher[T]{
		Look: l.see, Tick: tick.C, Resized: resized,
		Passing: func(err error) bool { return errors.Is(err, storage.ErrUnavailable) },
	}
	switch s, ok := a.screen(); {
	case output == "json":
		w.View = &term.Listing[T]{Print: func(seen T) error { return term.WriteJSON(a.Out, seen) }, Err: a.Err}
	case ok:
		w.View = &term.Drawing[T]{Out: a.Out, Size: s.Size, Colour: a.colour(), Draw: l.draw}
	default:
		w.View = &term.Listing[T]{Print: l.text, Err: a.Err}
	}
	return w.Run(ctx)
}
