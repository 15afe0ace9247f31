package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// What keeps a line of progress from flickering.
const (
	progressAfter = 300 * time.Millisecond
	progressEach  = 100 * time.Millisecond
)

// progress is a line on a terminal that says how far a long search has come. It
// is written over, and erased at the end. Work that is quick shows none.
type progress struct {
	to   io.Writer // nil shows nothing
	what string
	now  func() time.Time
	next time.Time
	some bool // is shown
}

// progress is one on stderr, if that is a terminal.
func (a *app) progress(what string) *progress {
	p := &progress{what: what, now: time.Now, next: time.Now().Add(progressAfter)}
	if f, ok := a.err.(*os.File); ok && a.getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		p.to = f
	}
	return p
}

// show takes in how many keys were looked at.
func (p *progress) show(n int) {
	now := p.now()
	if p.to == nil || now.Before(p.next) {
		return
	}
	p.next, p.some = now.Add(progressEach), true
	fmt.Fprintf(p.to, "\r%s: %d so far"+eraseRight, p.what, n)
}

func (p *progress) end() {
	if p.some {
		fmt.Fprint(p.to, "\r"+eraseRight)
	}
}
