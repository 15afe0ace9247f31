package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/tykctl/tykctl/internal/ledger"
)

// view is where a watch shows what it sees.
type view interface {
	// show takes in how the key stands. An error ends the watch.
	show(usageReport) error
	// away takes in that Redis did not say.
	away(error)
	// resize is called when the terminal has another size.
	resize()
	// end is called once, at the end.
	end()
}

// watch shows how a key stands, anew each second, until Ctrl-C.
func (a *app) watch(ctx context.Context, look func(context.Context) (usageReport, error), output string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	resized := make(chan os.Signal, 1)
	onResize(resized)
	defer signal.Stop(resized)

	w := watcher{look: look, tick: tick.C, resized: resized}
	switch s, ok := a.screen(); {
	case output == "json":
		w.view = &listing{print: func(u usageReport) error { return writeJSON(a.out, u) }, err: a.err}
	case ok:
		w.view = &drawing{out: a.out, size: s.size, colour: a.colour()}
	default:
		w.view = &listing{err: a.err, print: func(u usageReport) error {
			_, err := fmt.Fprintf(a.out, "%s  %s\n", time.Now().Format(time.TimeOnly), u.line())
			return err
		}}
	}
	return w.run(ctx)
}

// watcher is the loop of a watch; what drives it comes from outside.
type watcher struct {
	look    func(context.Context) (usageReport, error)
	view    view
	tick    <-chan time.Time
	resized <-chan os.Signal
}

// run looks at every tick until ctx ends, or there is no such key any more. Once
// it has seen the key, a Redis that is away is waited for.
func (w *watcher) run(ctx context.Context) error {
	type sight struct {
		usage usageReport
		err   error
	}
	// Looking is done elsewhere: a Redis that hangs must hold up neither Ctrl-C nor a resize.
	sights := make(chan sight, 1)
	look := func() {
		u, err := w.look(ctx)
		sights <- sight{u, err}
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
			case seen && errors.Is(s.err, ledger.ErrUnavailable):
				w.view.away(s.err)
			case s.err != nil:
				return s.err
			default:
				seen = true
				if err := w.view.show(s.usage); err != nil {
					return err
				}
			}
		}
	}
}

// listing is the view for pipes and files: one line for each look.
type listing struct {
	print  func(usageReport) error
	err    io.Writer
	isAway bool
}

func (l *listing) show(u usageReport) error {
	l.isAway = false
	return l.print(u)
}

func (l *listing) away(err error) {
	if !l.isAway {
		fmt.Fprintf(l.err, "tykctl: %s; trying again\n", err)
	}
	l.isAway = true
}

func (*listing) resize() {}
func (*listing) end()    {}
