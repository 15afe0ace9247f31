package term

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// View is where a watch shows what it sees.
type View[T any] interface {
	// Show takes what was seen. An error ends the watch.
	Show(T) error
	// Away takes the reason why nothing could be seen.
	Away(error)
	// Resize is called when the terminal has another size.
	Resize()
	// End is called once, at the end.
	End()
}

// Watcher is the loop of a watch; what drives it comes from outside.
type Watcher[T any] struct {
	Look    func(context.Context) (T, error)
	View    View[T]
	Tick    <-chan time.Time
	Resized <-chan os.Signal
	Passing func(error) bool // whether an error may pass by itself
}

// Run looks at every tick until ctx ends or looking fails. Once it has seen
// something, it tries again after an error that may pass.
func (w *Watcher[T]) Run(ctx context.Context) error {
	type sight struct {
		seen T
		err  error
	}
	// Looking has its own goroutine: a Redis that hangs must delay neither Ctrl-C nor a resize.
	sights := make(chan sight, 1)
	look := func() {
		t, err := w.Look(ctx)
		sights <- sight{t, err}
	}
	go look()
	looking, seen := true, false
	defer w.View.End()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Resized:
			w.View.Resize()
		case <-w.Tick:
			if !looking {
				looking = true
				go look()
			}
		case s := <-sights:
			looking = false
			switch {
			case ctx.Err() != nil:
				return nil
			case seen && s.err != nil && w.Passing(s.err):
				w.View.Away(s.err)
			case s.err != nil:
				return s.err
			default:
				seen = true
				if err := w.View.Show(s.seen); err != nil {
					return err
				}
			}
		}
	}
}

// Listing is the view for pipes and files: it prints each look.
type Listing[T any] struct {
	Print  func(T) error
	Err    io.Writer
	isAway bool
}

// Show prints what was seen.
func (l *Listing[T]) Show(seen T) error {
	l.isAway = false
	return l.Print(seen)
}

// Away says once why nothing can be seen, until something is seen again.
func (l *Listing[T]) Away(err error) {
	if !l.isAway {
		fmt.Fprintf(l.Err, "tykctl: %s; trying again\n", err)
	}
	l.isAway = true
}

// Resize does nothing.
func (*Listing[T]) Resize() {}

// End does nothing.
func (*Listing[T]) End() {}
