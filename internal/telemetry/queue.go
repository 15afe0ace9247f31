package telemetry

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	// queueBytes limits the waiting lines, and separately those being written.
	queueBytes = 1 << 20
	// againAfter is the pause before a retry on a terminal or pipe that another process
	// has made non-blocking.
	againAfter = 10 * time.Millisecond
)

// Queue is a log writer that never makes its callers wait. It keeps up to 1 MiB of lines
// in memory; a goroutine, which runs only while there are lines, writes them in order.
// Lines are dropped if there is no room, or if they cannot be written because the reader
// left or the disk is full. When writing works again, the log says where lines are
// missing and how many.
//
// Make one with [NewQueue]. It is safe for concurrent use.
type Queue struct {
	to     io.Writer
	remark func(lines int) // logs into notes that lines are missing; nil logs nothing
	notes  bytes.Buffer    // belongs to the writing goroutine, as do failing and torn
	work   func()          // q.write, made once so that starting it does not allocate

	failing bool // the last write failed
	torn    bool // the last byte written does not end a line

	mu            sync.Mutex
	waiting       []byte // whole lines
	spare         []byte // the other buffer; nil while it is being written
	before, after int    // lines dropped before and after the waiting ones and not yet reported
	dropped       int    // lines in total
	writing       bool
	idle          chan struct{} // closed when writing ends; nil while nobody waits for it
}

// NewQueue returns a queue in front of w.
func NewQueue(w io.Writer) *Queue {
	q := &Queue{to: w}
	q.work = q.write
	return q
}

// Write takes whole lines and returns at once. It copies p and always succeeds.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.after > 0 || len(q.waiting)+len(p) > queueBytes { // one gap: no shorter line slips past it
		q.after += q.lose(p)
	} else {
		q.waiting = append(q.waiting, p...)
	}
	if !q.writing {
		q.writing = true
		go q.work()
	}
	return len(p), nil
}

// Dropped returns how many lines have been dropped so far.
func (q *Queue) Dropped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Flush waits until every line has been written or dropped, for at most timeout. It
// reports whether that was enough.
func (q *Queue) Flush(timeout time.Duration) bool {
	q.mu.Lock()
	if !q.writing {
		q.mu.Unlock()
		return true
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}

// lose counts the lines of p as dropped and returns their number.
func (q *Queue) lose(p []byte) int {
	n := bytes.Count(p, []byte{'\n'})
	q.dropped += n
	return n
}

// write writes until no lines are left.
func (q *Queue) write() {
	for {
		lines, missing, ok := q.take()
		if !ok {
			return
		}
		rest := lines
		if q.send(q.preface(missing)) == nil {
			missing, rest = 0, q.send(lines)
		}
		q.failing = rest != nil
		q.giveBack(lines, rest, missing)
	}
}

// take returns the waiting lines and how many are missing before them. It reports false
// if there is nothing to write; writing then has ended.
func (q *Queue) take() (lines []byte, missing int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 && q.after == 0 && (q.before == 0 || q.failing) {
		q.writing = false
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		return nil, 0, false
	}
	lines, missing = q.waiting, q.before
	q.waiting, q.spare = q.spare, nil
	q.before, q.after = q.after, 0
	return lines, missing, true
}

// giveBack returns the buffer of lines. The lines in rest were not written, and the
// ones missing before them were not reported.
func (q *Queue) giveBack(lines, rest []byte, missing int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = lines[:0]
	q.before += missing + q.lose(rest)
}

// preface returns what must precede the next line: the end of a line that was cut, and a
// note about missing lines.
func (q *Queue) preface(missing int) []byte {
	if !q.torn && missing == 0 {
		return nil
	}
	q.notes.Reset()
	if q.torn {
		q.notes.WriteByte('\n')
	}
	if missing > 0 && q.remark != nil {
		q.remark(missing)
	}
	return q.notes.Bytes()
}

// send writes p and returns the part that could not be written.
func (q *Queue) send(p []byte) (rest []byte) {
	for len(p) > 0 {
		n, err := q.to.Write(p)
		if n > 0 {
			q.torn = p[n-1] != '\n'
		}
		p = p[n:]
		switch {
		case errors.Is(err, syscall.EAGAIN):
			time.Sleep(againAfter)
		case err != nil:
			return p
		}
	}
	return nil
}
