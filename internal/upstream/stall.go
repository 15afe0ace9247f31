package upstream

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stall ends a request if the backend takes too long, by the same rules as link, for
// callers that cannot set a connection's deadlines.
type stall struct {
	leave context.CancelCauseFunc

	mu       sync.Mutex
	limit    time.Duration
	timer    *time.Timer // nil before it is started
	client   bool        // it is the client's turn
	answered bool        // the response header has been read
	reading  bool        // the next piece of the response is awaited
	over     bool
}

// errStalled is a time-out to [classify] and [cut].
var errStalled error = &net.OpError{Op: "wait", Err: os.ErrDeadlineExceeded}

// awaitClient implements turns.
func (s *stall) awaitClient() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = true
	s.stop()
}

// awaitBackend implements turns.
func (s *stall) awaitBackend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = false
	if s.reading || !s.answered {
		s.start()
	}
}

// giveUp implements turns: net/http's client ends the request itself.
func (s *stall) giveUp() {}

// beginBody is called when the response header has been read.
func (s *stall) beginBody(idle time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered, s.limit = true, idle
	s.stop()
}

// beginRead is called before waiting for a piece of the response.
func (s *stall) beginRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = true
	if !s.client {
		s.start()
	}
}

func (s *stall) endRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	s.stop()
}

// end stops the timer for good.
func (s *stall) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.stop()
}

func (s *stall) start() {
	switch {
	case s.over:
	case s.timer == nil:
		s.timer = time.AfterFunc(s.limit, func() { s.leave(errStalled) })
	default:
		s.timer.Reset(s.limit)
	}
}

func (s *stall) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// timely is a response body that reports its reads to a stall.
type timely struct {
	io.ReadCloser
	wait *stall
}

func (t *timely) Read(p []byte) (int, error) {
	t.wait.beginRead()
	defer t.wait.endRead()
	return t.ReadCloser.Read(p)
}
