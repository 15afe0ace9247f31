//go:build unix

package redistest

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Wire stands between a client and a server and spoils what comes back. Its
// methods may be called at any time, and count from the next reply on.
type Wire struct {
	// Addr is where clients connect to.
	Addr string

	target   string
	listener net.Listener
	delay    atomic.Int64
	cut      atomic.Int64 // one reply in so many is cut short
	garble   atomic.Int64 // one reply in so many is not what was sent
	spoiled  atomic.Int64
	ended    chan struct{} // closed when the test ends
	hung     atomic.Bool
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	pumps    sync.WaitGroup
}

// StartWire opens a wire to the server at target. It ends with the test.
func StartWire(t testing.TB, target string) *Wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	w := &Wire{Addr: listener.Addr().String(), target: target, listener: listener, ended: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	w.pumps.Go(w.accept)
	t.Cleanup(func() {
		close(w.ended)
		w.Close()
		w.pumps.Wait()
	})
	return w
}

// Delay makes the way back longer: each reply arrives so long after it was sent, in
// order. Replies that were sent close together arrive close together.
func (w *Wire) Delay(d time.Duration) { w.delay.Store(int64(d)) }

// Cut ends the connection in the middle of one reply in n, at random; 0 of none.
func (w *Wire) Cut(n int) { w.cut.Store(int64(n)) }

// Garble breaks the framing of one reply in n, at random; 0 of none.
func (w *Wire) Garble(n int) { w.garble.Store(int64(n)) }

// Spoiled returns how many replies were cut or garbled.
func (w *Wire) Spoiled() int64 { return w.spoiled.Load() }

// Hang holds every reply back for good: whoever connects is accepted, and told nothing.
func (w *Wire) Hang() { w.hung.Store(true) }

// Close ends the connections that there are, and lets nobody connect any more.
func (w *Wire) Close() {
	_ = w.listener.Close()
	w.Sever()
}

// Sever ends the connections that there are.
func (w *Wire) Sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		_ = conn.Close()
	}
}

// Open returns how many connections there are.
func (w *Wire) Open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.pumps.Go(func() { w.connect(client) })
	}
}

func (w *Wire) connect(client net.Conn) {
	w.mu.Lock()
	w.conns[client] = struct{}{}
	w.mu.Unlock()
	defer func() {
		_ = client.Close()
		w.mu.Lock()
		delete(w.conns, client)
		w.mu.Unlock()
	}()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	w.pumps.Go(func() { w.pump(server, client, func(p []byte) (int, bool) { return len(p), true }); _ = server.Close() })
	late := &lateWriter{w: w, to: client, queue: make(chan lateReply, 1024), broken: make(chan struct{})}
	w.pumps.Go(late.deliver)
	w.pump(late, server, func(p []byte) (int, bool) { return len(p), true })
	close(late.queue)
	<-late.broken
}

// A lateReply is on its way back.
type lateReply struct {
	text []byte
	due  time.Time
}

// A lateWriter takes replies as they are sent, and delivers each when it is due.
type lateWriter struct {
	w      *Wire
	to     net.Conn
	queue  chan lateReply
	broken chan struct{} // closed when nothing is delivered any more
}

func (l *lateWriter) Write(p []byte) (int, error) {
	reply := lateReply{slices.Clone(p), time.Now().Add(time.Duration(l.w.delay.Load()))}
	select {
	case l.queue <- reply:
		return len(p), nil
	case <-l.broken:
		return 0, net.ErrClosed
	}
}

func (l *lateWriter) deliver() {
	defer func() { close(l.broken); _ = l.to.Close() }()
	for reply := range l.queue {
		if d := time.Until(reply.due); d > 0 {
			<-time.After(d)
		}
		n, goOn := l.w.spoil(reply.text)
		if _, err := l.to.Write(reply.text[:n]); err != nil || !goOn {
			return
		}
	}
}

// pump copies until either end is gone, or spoil says that this is the end.
func (w *Wire) pump(to io.Writer, from net.Conn, spoil func([]byte) (n int, goOn bool)) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			n, goOn := spoil(buffer[:n])
			if _, err := to.Write(buffer[:n]); err != nil || !goOn {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// spoil returns how much of a reply passes, and whether another may follow.
func (w *Wire) spoil(reply []byte) (int, bool) {
	if w.hung.Load() {
		<-w.ended
		return 0, false
	}
	if hit(w.garble.Load()) {
		w.spoiled.Add(1)
		reply[rand.IntN(min(len(reply), 2))] = "*:+-$x19"[rand.IntN(8)] //nolint:gosec // trouble, not secrets
	}
	if hit(w.cut.Load()) {
		w.spoiled.Add(1)
		return rand.IntN(len(reply)), false //nolint:gosec // as above
	}
	return len(reply), true
}

func hit(oneIn int64) bool { return oneIn > 0 && rand.Int64N(oneIn) == 0 } //nolint:gosec // as above
