package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// sink is where a queue writes to. It may be blocked, or fail.
type sink struct {
	mu      sync.Mutex
	out     bytes.Buffer
	blocked chan struct{} // a write waits until it is closed; nil: it does not
	err     error         // that writes fail with
	room    int           // bytes that a failing write still takes
}

func (s *sink) set(change func(*sink)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if blocked := s.blocked; blocked != nil {
		s.mu.Unlock()
		<-blocked
		s.mu.Lock()
	}
	if s.err != nil {
		n := min(s.room, len(p))
		s.room -= n
		s.out.Write(p[:n])
		return n, s.err
	}
	return s.out.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// logTo logs to s by way of a queue.
func logTo(t *testing.T, s *sink) (q *Queue, say func(format string, args ...any)) {
	t.Helper()
	q = NewQueue(s)
	logger, err := NewLogger(q, "info", "console", ColourOff)
	if err != nil {
		t.Fatal(err)
	}
	return q, func(format string, args ...any) { logger.Info(fmt.Sprintf(format, args...)) } //nolint:sloglint // the test's lines are all different
}

var missingLines = regexp.MustCompile(`WARN log lines were dropped here: .* lines=(\d+)\n`)

func TestQueueNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{blocked: make(chan struct{})}
		q, say := logTo(t, s)
		const all = 40_000
		for i := range all {
			say("line %d", i) // it deadlocks if it waits
		}
		if q.Flush(time.Second) {
			t.Error("flushed though nothing can be written")
		}
		if held := cap(q.waiting) + cap(q.spare); held > 4*queueBytes {
			t.Errorf("%d bytes are held", held)
		}
		dropped := q.Dropped()
		close(s.blocked)
		q.Flush(time.Hour)
		say("the last")
		q.Flush(time.Hour)

		told := missingLines.FindAllStringSubmatch(s.String(), -1)
		if len(told) != 1 || told[0][1] != strconv.Itoa(dropped) || dropped == 0 {
			t.Errorf("%d lines were dropped; the log says %q", dropped, told)
		}
		next := 0
		for line := range strings.Lines(s.String()) {
			if missingLines.MatchString(line) {
				next += dropped
			} else if next == all && strings.HasSuffix(line, "INFO the last\n") {
				return
			} else if !strings.HasSuffix(line, fmt.Sprintf("INFO line %d\n", next)) {
				t.Fatalf("%q, want line %d", line, next)
			} else {
				next++
			}
		}
		t.Errorf("it ends after line %d", next)
	})
}

func TestQueueOutlivesFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		room int
	}{
		"the reader is gone":     {syscall.EPIPE, 0},
		"the disk is full":       {syscall.ENOSPC, 0},
		"it is full in mid-line": {syscall.ENOSPC, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sink{}
				q, say := logTo(t, s)
				each := func(format string, args ...any) {
					say(format, args...)
					q.Flush(time.Hour)
				}
				each("before")
				s.set(func(s *sink) { s.err, s.room = tt.err, tt.room })
				for i := range 7 {
					each("lost %d", i)
				}
				s.set(func(s *sink) { s.err = nil })
				each("after")
				if got := q.Dropped(); got != 7 {
					t.Errorf("%d dropped, want 7", got)
				}
				var got []string
				for line := range strings.Lines(s.String()) {
					_, text, _ := strings.Cut(line, " ")
					got = append(got, text)
				}
				if tt.room > 0 { // what was written of it cannot be taken back
					got = append(got[:1], got[2:]...)
				}
				if len(got) != 3 || got[0] != "INFO before\n" || !strings.HasSuffix(got[1], "lines=7\n") || got[2] != "INFO after\n" {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

// A line longer than all the room is dropped by itself, and said without a further one.
func TestQueueDropsWhatIsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		q, say := logTo(t, s)
		say("%s", strings.Repeat("x", queueBytes))
		q.Flush(time.Hour)
		if out := s.String(); !missingLines.MatchString(out) || len(out) > 200 || q.Dropped() != 1 {
			t.Errorf("%d dropped; %q", q.Dropped(), out)
		}
	})
}

// Another process may have made a terminal or pipe non-blocking.
func TestQueueTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{err: syscall.EAGAIN, room: 5}
		q, say := logTo(t, s)
		say("whole")
		synctest.Wait()
		s.set(func(s *sink) { s.err = nil })
		q.Flush(time.Hour)
		if out := s.String(); !strings.HasSuffix(out, "INFO whole\n") || strings.Count(out, "\n") != 1 || q.Dropped() != 0 {
			t.Errorf("%d dropped; %q", q.Dropped(), out)
		}
	})
}

func TestQueueKeepsOrder(t *testing.T) {
	s := &sink{}
	q, say := logTo(t, s)
	const writers, each = 8, 500
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				say("%d %d", w, i)
			}
		})
	}
	all.Wait()
	if !q.Flush(time.Minute) {
		t.Fatal("not flushed")
	}
	var next [writers]int
	for line := range strings.Lines(s.String()) {
		var w, i int
		if _, err := fmt.Sscanf(line[strings.Index(line, "INFO")+5:], "%d %d\n", &w, &i); err != nil || i != next[w] {
			t.Fatalf("%q: %v; want %d", line, err, next[w])
		}
		next[w]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("%d lines of %d, want %d", n, w, each)
		}
	}
}

func TestQueueAllocatesNothing(t *testing.T) {
	q := NewQueue(io.Discard)
	line := []byte("a line\n")
	write := func() {
		_, _ = q.Write(line)
		q.Flush(time.Minute)
	}
	write()
	write() // for both buffers
	if n := testing.AllocsPerRun(1000, func() { _, _ = q.Write(line) }); n != 0 {
		t.Errorf("%v allocations for each line", n)
	}
}
