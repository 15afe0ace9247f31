package http1

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
)

// body is a request body of declared length. A late reader cannot get bytes of the
// next request.
type body struct {
	of    *request
	ended atomic.Bool // all of it was read, or there is none

	mu     sync.Mutex // held by Read
	left   int64
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.left == 0:
		return 0, io.EOF
	}
	n, err := b.of.conn.readBody(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		b.ended.Store(true)
		b.of.ctx.mayWatch()
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		b.of.ctx.gone()
	}
	return n, err
}

// Close ends the body for the handler. The rest stays unread.
func (b *body) Close() error {
	b.end()
	return nil
}

func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// remains reports whether the client may still be sending.
func (b *body) remains() bool { return !b.ended.Load() }

// readBody first returns the bytes that arrived with the header.
func (c *conn) readBody(p []byte) (int, error) {
	if c.start < c.end {
		n := copy(p, c.buf[c.start:c.end])
		c.start += n
		return n, nil
	}
	return c.Read(p)
}
