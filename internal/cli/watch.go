package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/tykctl/tykctl/internal/storage"
)

// view is where a watch shows what it sees.
type view[T any] interface {
	// show takes what was seen. An error ends the watch.
	show(T) error
	// away takes the reason why Redis did not answer.
	away(error)
	// resize is called when the terminal has another size.
	resize()
	// end is called once, at the end.
	end()
}

// look is what a watch looks at, and how it is shown.
type look[T any] struct {
	every time.Duration
	see   func(context.Context) (T, error)
	// draw fits it into a terminal; trouble says why it is old, "" if it is not.
	draw func(seen T, trouble string, width, height int, colour bool) []string
	text func(T) error // prints it as text where there is no terminal
}

// watch shows what is seen, anew at each tick, until Ctrl-C.
func watch[T any](ctx context.Context, a *app, l look[T], output string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	resized := make(chan os.Signal, 1)
	onResize(resized)
	defer signal.Stop(resized)

	w := watcher[T]{look: l.see, tick: tick.C, resized: resized}
	switch s, ok := a.screen(); {
	case output == "json":
		w.view = &listing[T]{print: func(seen T) error { return writeJSON(a.out, seen) }, err: a.err}
	case ok:
		w.view = &drawing[T]{out: a.out, size: s.size, colour: a.colour(), draw: l.draw}
	default:
		w.view = &listing[T]{print: l.text, err: a.err}
	}
	return w.run(ctx)
}

// watcher is the loop of a watch; what drives it comes from outside.
type watcher[T any] struct {
	look    func(context.Context) (T, error)
	view    view[T]
	tick    <-chan time.Time
	resized <-chan os.Signal
}

// run looks at every tick until ctx ends or looking fails. Once it has seen
// something, it waits for a Redis that is away.
func (w *watcher[T]) run(ctx context.Context) error {
	type sight struct {
		seen T
		err  error
	}
	// Looking has its own goroutine: a Redis that hangs must delay neither Ctrl-C nor a resize.
	sights := make(chan sight, 1)
	look := func() {
		t, err := w.look(ctx)
		sights <- sight{t, err}
	}
	go look()
	looking, seen := true, false
	defer w.view.end()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.resized:
			w.view.resize()
		case <-w.tick:
			if !looking {
				looking = true
				go look()
			}
		case s := <-sights:
			looking = false
			switch {
			case ctx.Err() != nil:
				return nil
			case seen && errors.Is(s.err, storage.ErrUnavailable):
				w.view.away(s.err)
			case s.err != nil:
				return s.err
			default:
				seen = true
				if err := w.view.show(s.seen); err != nil {
					return err
				}
			}
		}
	}
}

// listing is the view for pipes and files: it prints each look.
type listing[T any] struct {
	print  func(T) error
	err    io.Writer
	isAway bool
}

func (l *listing[T]) show(seen T) error {
	l.isAway = false
	return l.print(seen)
}

func (l *listing[T]) away(err error) {
	if !l.isAway {
		fmt.Fprintf(l.err, "tykctl: %s; trying again\n", err)
	}
	l.isAway = true
}

func (*listing[T]) resize() {}
func (*listing[T]) end()    {}
