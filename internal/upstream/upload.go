package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// linger is how long, once the answer is complete, the rest of a request is
// still taken: closing earlier could cost the client the answer.
const linger = time.Second

// body is a request's body as the client sends it: within the size limit, with a
// time-out for each piece. It remembers why reading failed, so that a client's
// broken framing is not blamed on the backend.
type body struct {
	io.Reader
	limit   int64
	left    int64 // bytes that may still come
	client  *http.ResponseController
	timeout time.Duration
	http2   bool   // whose deadline would end the body between two reads as well
	sending *stall // runs while a piece is being sent; may be nil
	failed  atomic.Pointer[error]
	ended   atomic.Bool // all of it was read

	received *atomic.Int64 // bytes; may be nil

	reading sync.Mutex // held by Read

	mu      sync.Mutex // orders deadlines
	stopped bool
}

func newBody(w http.ResponseWriter, r *http.Request, o *Options, received *atomic.Int64) *body {
	left := o.MaxBody
	if left == 0 {
		left = math.MaxInt64 - 1
	}
	return &body{
		Reader: r.Body, limit: o.MaxBody, left: left, client: http.NewResponseController(w), timeout: o.BodyTimeout,
		http2: r.ProtoMajor == 2, received: received,
	}
}

var errStopped = errors.New("the rest of the body is not wanted")

func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.ended.Load() {
		return 0, io.EOF // the connection's deadline is not the body's any more
	}
	if !b.allow() {
		return 0, errStopped
	}
	if b.sending != nil {
		b.sending.pause()
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left+1)]) // one more tells whether there is more
	if b.received != nil {
		b.received.Add(int64(n))
	}
	wanted := b.pause()
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, fmt.Errorf("%w: at most %d bytes are taken", ErrBodyTooLarge, b.limit)
	}
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
	case err != nil && !wanted:
		err = errStopped // and no fault
	case err != nil:
		fault := err // kept, which err itself rarely is
		b.failed.CompareAndSwap(nil, &fault)
	case b.sending != nil:
		b.sending.start()
	}
	return n, err
}

// Close does nothing: net/http's would first read on, for as long as the client
// likes, and its server closes the body in any case.
func (b *body) Close() error { return nil }

// remains reports whether the client may still be sending. A nil body has ended.
func (b *body) remains() bool { return b != nil && !b.ended.Load() }

// allow gives the client its time for the next piece.
func (b *body) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped && b.timeout > 0 {
		_ = b.client.SetReadDeadline(time.Now().Add(b.timeout)) // not every server has deadlines
	}
	return !b.stopped
}

// pause is when nothing is read: the client's time does not run. It reports whether
// the rest is still wanted.
func (b *body) pause() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.http2 && !b.stopped {
		_ = b.client.SetReadDeadline(time.Time{})
	}
	return !b.stopped
}

// converse gives the client any time from now on: there is no telling whether it or
// the backend is to speak next.
func (b *body) converse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timeout = 0
	if !b.stopped {
		_ = b.client.SetReadDeadline(time.Time{})
	}
}

// stop ends a Read that is under way and refuses further ones, if there is a rest.
func (b *body) stop() {
	if !b.remains() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.client.SetReadDeadline(time.Now())
}

// fault is why reading failed, nil if it did not. A nil body has none.
func (b *body) fault() error {
	if b != nil {
		if failed := b.failed.Load(); failed != nil {
			return *failed
		}
	}
	return nil
}

// verdict is the fault with which ctx, the request's, ended. net/http ends that
// when a read fails, a moment before it says so to whoever reads.
func (b *body) verdict(ctx context.Context) error {
	if b != nil && ctx.Err() != nil {
		b.reading.Lock()
		defer b.reading.Unlock()
	}
	return b.fault()
}

// upload sends a request's body while the answer is awaited. A nil upload is over.
type upload struct {
	c    *conn
	body *body
	done chan struct{}

	mu    sync.Mutex // orders the conn's read deadlines
	ended time.Time  // zero while the upload is under way
	err   error
}

// startUpload sends b on c: length bytes, or in chunks when that is below 0.
func startUpload(c *conn, b *body, length int64) *upload {
	up := &upload{c: c, body: b, done: make(chan struct{})}
	c.upload = up
	go func() {
		defer close(up.done)
		err := up.send(length)
		up.mu.Lock()
		defer up.mu.Unlock()
		up.ended, up.err = time.Now(), err
		if b.fault() != nil {
			_ = c.SetReadDeadline(up.ended) // there will be no answer to half a request
		}
	}()
	return up
}

func (up *upload) send(length int64) error {
	piece := borrowPiece()
	defer pieces.Put(piece)
	if length < 0 {
		return up.sendChunks(piece[:])
	}
	for length > 0 {
		n, err := up.body.Read(piece[:min(length, pieceSize)])
		if n > 0 {
			if err := up.c.send(piece[:n]); err != nil {
				return err
			}
			length -= int64(n)
		}
		if err != nil && length > 0 {
			return err
		}
	}
	// The end must be seen for the server to know that the body has been read.
	_, err := up.body.Read(piece[:0])
	return ignoreEOF(err)
}

// sendChunks writes each piece as one chunk, its size in front and its end behind it.
func (up *upload) sendChunks(piece []byte) error {
	const front, back = len("12345678\r\n"), len("\r\n")
	for {
		n, err := up.body.Read(piece[front : len(piece)-back])
		if n > 0 {
			size := fmt.Appendf(nil, "%x\r\n", n)
			start := front - len(size)
			copy(piece[start:], size)
			copy(piece[front+n:], "\r\n")
			if err := up.c.send(piece[start : front+n+back]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return up.c.send([]byte("0\r\n\r\n"))
		}
		if err != nil {
			return err
		}
	}
}

// await reads from the backend while the upload is under way, during which it
// may well be silent. Its time begins when it has the whole request.
func (up *upload) await(p []byte) (int, error) {
	for {
		up.mu.Lock()
		if up.body.fault() != nil {
			up.mu.Unlock()
			return 0, errStopped
		}
		from := up.ended
		if from.IsZero() {
			from = time.Now()
		}
		err := up.c.SetReadDeadline(from.Add(up.c.timeout))
		up.mu.Unlock()
		if err != nil {
			return 0, err
		}
		n, err := up.c.Read(p)
		if n > 0 {
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !up.more(from) {
			return 0, err
		}
	}
}

// more reports whether the backend has time left that it did not have when its
// time was thought to begin at from.
func (up *upload) more(from time.Time) bool {
	up.mu.Lock()
	defer up.mu.Unlock()
	return up.ended.IsZero() || up.ended.After(from)
}

func (up *upload) over() bool {
	if up == nil {
		return true
	}
	select {
	case <-up.done:
		return true
	default:
		return false
	}
}

// settle ends an upload whose answer is complete. It reports whether the whole
// body was sent. When the answer is good, the rest may still come for a while.
func (up *upload) settle(good bool) bool {
	if up == nil {
		return true
	}
	if good && !up.over() {
		_ = up.body.client.Flush()
		late := time.NewTimer(linger)
		defer late.Stop()
		select {
		case <-up.done:
		case <-late.C:
		}
	}
	whole := up.over() && up.err == nil
	up.abandon()
	return whole
}

// abandon ends the upload, and returns when it no longer reads the body.
func (up *upload) abandon() {
	if up == nil || up.over() {
		return
	}
	up.body.stop()
	_ = up.c.Close() // it may be waiting for the backend to take more
	<-up.done
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
