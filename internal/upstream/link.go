package upstream

import (
	"net"
	"sync"
	"time"
)

// link is a connection to the backend that knows whose turn it is, and so how long the
// gateway waits. It alone sets the deadlines of an exchange.
//
// While it is the client's turn to send the next piece of its request, the backend may
// be silent: the client has its own time-out. When it is the backend's turn, it has
// response to accept a piece and, after the last one, to send the whole response
// header. After that it has idle for each pause within the response, whether or not it
// accepts the rest of the request.
type link struct {
	net.Conn
	response, idle time.Duration

	mu       sync.Mutex
	client   bool      // it is the client's turn
	answered bool      // the response header has been read
	by       time.Time // when it must have been read, unless it is the client's turn
	hurried  bool      // a write deadline is set
	given    bool      // up: there will be no response
}

// begin readies l for an exchange.
func (l *link) begin(response, idle time.Duration) {
	l.response, l.idle = response, idle
	l.client, l.answered, l.given = false, false, false
	l.by = time.Now().Add(response)
}

// hurry gives the backend response to accept the next write.
func (l *link) hurry() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hurried = true
	return l.SetWriteDeadline(l.by)
}

// awaitClient implements turns.
func (l *link) awaitClient() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = true
	_ = l.SetReadDeadline(time.Time{}) // an error shows at the next write
}

// awaitBackend implements turns.
func (l *link) awaitBackend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = false
	now := time.Now()
	if l.answered {
		_ = l.SetReadDeadline(now.Add(l.idle))
		return
	}
	l.by, l.hurried = now.Add(l.response), true
	_ = l.SetDeadline(l.by)
}

// giveUp implements turns.
func (l *link) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given = true
	_ = l.SetReadDeadline(time.Now())
}

// beginBody is called when the response header has been read.
func (l *link) beginBody() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = true
	_ = l.clearWriting()
}

// relax ends an exchange: the next write has no deadline.
func (l *link) relax() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clearWriting()
}

func (l *link) clearWriting() error {
	if !l.hurried {
		return nil
	}
	l.hurried = false
	return l.SetWriteDeadline(time.Time{})
}

// read reads once, within the backend's time-out and, unless it is 0, within most. It
// returns either bytes or an error.
func (l *link) read(p []byte, most time.Duration) (int, error) {
	if err := l.allow(most); err != nil {
		return 0, err
	}
	n, err := l.Read(p)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (l *link) allow(most time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.given:
		return errStopped
	case l.client:
		return l.SetReadDeadline(time.Time{})
	}
	now, by := time.Now(), l.by
	if l.answered {
		by = now.Add(l.idle)
	}
	if soon := now.Add(most); most > 0 && soon.Before(by) {
		by = soon
	}
	return l.SetReadDeadline(by)
}
