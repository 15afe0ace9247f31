package term

import (
	"fmt"
	"io"
	"time"
)

// What keeps a line of progress from flickering.
const (
	progressAfter = 300 * time.Millisecond
	progressEach  = 100 * time.Millisecond
)

// Progress is a line on a terminal that says how far a long search has come. It
// is written over, and erased at the end. Work that is quick shows none.
type Progress struct {
	to   io.Writer // nil shows nothing
	what string
	now  func() time.Time
	next time.Time
	some bool // is shown
}

// NewProgress is a line on a terminal; nil shows nothing.
func NewProgress(terminal io.Writer, what string) *Progress {
	return &Progress{to: terminal, what: what, now: time.Now, next: time.Now().Add(progressAfter)}
}

// Show takes in how many keys were looked at.
func (p *Progress) Show(n int) {
	now := p.now()
	if p.to == nil || now.Before(p.next) {
		return
	}
	p.next, p.some = now.Add(progressEach), true
	fmt.Fprintf(p.to, "\r%s: %d so far"+eraseRight, p.what, n)
}

// End erases the line.
func (p *Progress) End() {
	if p.some {
		fmt.Fprint(p.to, "\r"+eraseRight)
	}
}
