package upstream

import (
	"errors"
	"io"
	"sync"
	"time"
)

// tunnel is the backend's side of a WebSocket. It tracks the frames that pass (RFC 6455,
// 5.2), so that the drain can end it between two frames, with a close frame in each
// direction.
type tunnel struct {
	io.ReadWriteCloser
	draining <-chan struct{}
	pieces   chan []byte // what the backend sent; closed at its end
	used     chan struct{}
	gone     chan struct{}
	closing  sync.Once
	err      error // of the backend; valid when pieces is closed

	rest []byte // of the last piece
	down frames // backend to client
	left bool   // the close frames were sent

	mu sync.Mutex
	up frames // client to backend
}

// The payload is 1001, going away. A client must mask what it sends, and to the backend
// the gateway is a client; a mask of zeros leaves the payload readable.
var (
	goingAway       = []byte{0x88, 2, 0x03, 0xe9}
	maskedGoingAway = []byte{0x88, 0x80 | 2, 0, 0, 0, 0, 0x03, 0xe9}
)

var errGoingAway = errors.New("the gateway is shutting down")

func newTunnel(backend io.ReadWriteCloser, draining <-chan struct{}) *tunnel {
	t := &tunnel{
		ReadWriteCloser: backend, draining: draining,
		pieces: make(chan []byte), used: make(chan struct{}), gone: make(chan struct{}),
	}
	go t.pump()
	return t
}

// pump reads from the backend, so that Read can also wait for the drain.
func (t *tunnel) pump() {
	defer close(t.pieces)
	piece := make([]byte, readBuffer)
	for {
		n, err := t.ReadWriteCloser.Read(piece)
		if n > 0 {
			select {
			case t.pieces <- piece[:n]:
			case <-t.gone:
				return
			}
			select {
			case <-t.used:
			case <-t.gone:
				return
			}
		}
		if err != nil {
			t.err = err
			return
		}
	}
}

// Read returns what the backend sent. Once the gateway drains and a frame has ended, it
// returns a close frame and then an error.
func (t *tunnel) Read(p []byte) (int, error) {
	if t.left {
		return 0, t.farewell()
	}
	if len(t.rest) == 0 {
		var draining <-chan struct{}
		if t.down.between() {
			draining = t.draining
		}
		var ok bool
		select {
		case <-draining:
			t.goAway()
			return copy(p, goingAway), nil
		case t.rest, ok = <-t.pieces:
			if !ok {
				return 0, t.err
			}
		}
	}
	n := copy(p, t.rest)
	t.down.follow(p[:n])
	if t.rest = t.rest[n:]; len(t.rest) == 0 {
		select {
		case t.used <- struct{}{}:
		case <-t.gone:
		}
	}
	return n, nil
}

func (t *tunnel) goAway() {
	t.left = true
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.up.between() {
		_, _ = t.ReadWriteCloser.Write(maskedGoingAway) // the tunnel ends in any case
	}
}

// farewell gives both ends time to close, so that they receive what was sent before. It
// drops what the backend still sends, because it would follow the close frame.
func (t *tunnel) farewell() error {
	late := time.NewTimer(linger)
	defer late.Stop()
	for {
		select {
		case _, ok := <-t.pieces:
			if !ok {
				return errGoingAway
			}
			select {
			case t.used <- struct{}{}:
			case <-t.gone:
				return errGoingAway
			}
		case <-t.gone:
			return errGoingAway
		case <-late.C:
			return errGoingAway
		}
	}
}

func (t *tunnel) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.ReadWriteCloser.Write(p)
	t.up.follow(p[:n])
	return n, err
}

func (t *tunnel) Close() error {
	t.closing.Do(func() { close(t.gone) })
	return t.ReadWriteCloser.Close()
}

// CloseWrite tells the backend that the client sends nothing more.
func (t *tunnel) CloseWrite() error {
	if c, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// frames tracks the position in a stream of WebSocket frames.
type frames struct {
	head []byte // of the frame with an incomplete header
	left uint64 // bytes of the payload to come
}

// between reports whether the next byte starts a frame.
func (f *frames) between() bool { return len(f.head) == 0 && f.left == 0 }

func (f *frames) follow(p []byte) {
	for len(p) > 0 {
		if n := min(f.left, uint64(len(p))); n > 0 {
			f.left -= n
			p = p[n:]
			continue
		}
		f.head = append(f.head, p[0])
		p = p[1:]
		if size, ok := payload(f.head); ok {
			f.head, f.left = f.head[:0], size
		}
	}
}

// payload returns the length in a frame's header, once that is complete.
func payload(head []byte) (size uint64, ok bool) {
	const masked, short, long = 0x80, 126, 127
	if len(head) < 2 {
		return 0, false
	}
	size = uint64(head[1] &^ masked)
	extra := 0
	switch size {
	case short:
		extra = 2
	case long:
		extra = 8
	}
	mask := 0
	if head[1]&masked != 0 {
		mask = 4
	}
	if len(head) < 2+extra+mask {
		return 0, false
	}
	if extra > 0 {
		size = 0
		for _, b := range head[2 : 2+extra] {
			size = size<<8 | uint64(b)
		}
	}
	return size, true
}
