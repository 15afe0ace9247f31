package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// linger is how long the rest of a request is still read after the response is complete:
// closing earlier could cost the client the response.
const linger = time.Second

// upload sends a request body in its own goroutine, while the caller waits for the
// response. A nil upload is over.
type upload struct {
	body *body
	to   io.WriteCloser
	done chan struct{}
	err  error // valid when done
}

// startUpload sends length bytes of b, or all of it in chunks if length is negative.
func startUpload(to io.WriteCloser, b *body, length int64) *upload {
	up := &upload{body: b, to: to, done: make(chan struct{})}
	go func() {
		defer close(up.done)
		up.err = up.send(length)
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
			if _, err := up.to.Write(piece[:n]); err != nil {
				return err
			}
			length -= int64(n)
		}
		if err != nil && length > 0 {
			return err
		}
	}
	// The server knows that the body was read only after a read that returns its end.
	_, err := up.body.Read(piece[:0])
	return ignoreEOF(err)
}

// sendChunks sends each piece as one chunk, in one write.
func (up *upload) sendChunks(piece []byte) error {
	const front, back = len("12345678\r\n"), len("\r\n")
	for {
		n, err := up.body.Read(piece[front : len(piece)-back])
		if n > 0 {
			size := fmt.Appendf(nil, "%x\r\n", n)
			start := front - len(size)
			copy(piece[start:], size)
			copy(piece[front+n:], "\r\n")
			if _, err := up.to.Write(piece[start : front+n+back]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			_, err = up.to.Write(lastChunk(up.body.trailer))
			return err
		}
		if err != nil {
			return err
		}
	}
}

// lastChunk ends a chunked body, with its trailers.
func lastChunk(trailer http.Header) []byte {
	b := []byte("0\r\n")
	for name, values := range trailer {
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	return append(b, "\r\n"...)
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

// settle ends the upload after a complete response. It reports whether the whole body
// was sent. After a good response, the rest may still arrive for a while.
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

// abandon ends the upload, and returns once it no longer reads the body.
func (up *upload) abandon() {
	if up == nil || up.over() {
		return
	}
	up.body.stop()
	_ = up.to.Close() // it may be waiting for the backend to accept more
	<-up.done
}

// remains reports whether the client may still be sending.
func (up *upload) remains() bool { return up != nil && up.body.remains() }

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
