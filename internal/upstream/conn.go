package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

const (
	readBuffer = 4 << 10
	// patience is how long the gateway waits for the backend before it also watches for
	// the client leaving. Watching allocates, and most responses come sooner.
	patience = 50 * time.Millisecond
)

// conn is a connection to the backend, with the buffers of its current exchange. It
// serves one exchange at a time.
type conn struct {
	link
	raw        syscall.RawConn // nil if the connection has no descriptor
	peek       func(fd uintptr)
	peeked     bool // what peek found: nothing to read and not closed
	breakOff   func()
	reused     bool
	idleUntil  time.Time // while it is idle
	out        []byte    // the request's header
	buf        []byte
	start, end int // buf[start:end] was read but not used
	own        []byte
	fields     []field // of the response header
	names      []string

	// Of the current exchange.
	ctx     context.Context
	watched func() bool // stops watching ctx; nil if it is not watched
	upload  *upload     // nil if the whole request was sent with its header
	heard   bool        // a byte came back
	client  http.ResponseWriter
	held    bool // the client's writer holds bytes to flush before the next wait
}

func newConn(nc net.Conn) *conn {
	c := &conn{link: link{Conn: nc}, own: make([]byte, readBuffer)}
	c.buf = c.own
	c.breakOff = func() { _ = c.Close() }
	if s, ok := nc.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // without it a stale connection shows at its first use
		c.peek = func(fd uintptr) { c.peeked = nothingToRead(fd) }
	}
	return c
}

// quiet reports whether the backend has neither closed an idle connection nor sent
// anything on it. Unexpected bytes would be read as the response to the next request,
// which is another client's.
func (c *conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	return c.raw.Control(c.peek) == nil && c.peeked
}

// begin readies c for an exchange on behalf of ctx.
func (c *conn) begin(ctx context.Context, o *Options) {
	c.ctx, c.heard = ctx, false
	c.link.begin(o.ResponseTimeout, o.IdleTimeout)
}

// startUpload sends a body after the header. An error shows in reading, too.
func (c *conn) startUpload(b *body, length int64) {
	c.watch()
	b.turns = &c.link
	c.upload = startUpload(&c.link, b, length)
}

// watch closes c when the client leaves.
func (c *conn) watch() {
	if c.watched == nil {
		c.watched = context.AfterFunc(c.ctx, c.breakOff)
	}
}

// finish ends the exchange. It reports whether c can serve another one.
func (c *conn) finish() bool {
	alive := c.watched == nil || c.watched()
	alive = c.relax() == nil && alive
	spent := c.start == c.end
	c.ctx, c.watched, c.upload, c.client, c.held = nil, nil, nil, nil, false
	c.giveBack()
	c.start, c.end = 0, 0
	if cap(c.out) > 2*readBuffer {
		c.out = nil
	}
	return alive && spent
}

var errHeaderTooLarge = fmt.Errorf("its header is larger than %d bytes", maxHeaderBytes)

// readHead reads up to and including the empty line that ends a header.
func (c *conn) readHead() (string, error) {
	for scanned := 0; ; {
		b := c.buf[c.start:c.end]
		n, ended, err := httpsyntax.ScanHead(b, scanned)
		if err != nil {
			return "", err
		}
		if ended {
			c.start += n
			return string(b[:n]), nil
		}
		scanned = n
		if err := c.fill(); err != nil {
			if len(b) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
}

// fill reads more from the backend, after the unused bytes.
func (c *conn) fill() error {
	switch {
	case c.start == c.end:
		c.start, c.end = 0, 0
	case c.end < len(c.buf):
	case c.start > 0:
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	case len(c.buf) >= maxHeaderBytes:
		return errHeaderTooLarge
	default:
		larger := make([]byte, min(4*len(c.buf), maxHeaderBytes))
		copy(larger, c.buf)
		c.giveBack()
		c.buf = larger
	}
	if c.held {
		c.held = false
		_ = http.NewResponseController(c.client).Flush() // the next write shows whether the client is gone
	}
	n, err := c.await(c.buf[c.end:])
	c.end += n
	c.heard = c.heard || n > 0
	return err
}

// await reads once, within the backend's time-out.
func (c *conn) await(p []byte) (int, error) {
	if c.watched == nil {
		n, err := c.read(p, patience)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.watch()
	}
	return c.read(p, 0)
}

// sendHead writes out. An idle socket accepts a few KiB without waiting, so that these
// need no deadline.
func (c *conn) sendHead() error {
	if len(c.out) > readBuffer {
		if err := c.hurry(); err != nil {
			return err
		}
	}
	_, err := c.Write(c.out)
	return err
}

// next returns what has been read and not used, at most n bytes, reading first
// if there is nothing. The bytes are used with that; they are overwritten by the
// next read.
func (c *conn) next(n int64) ([]byte, error) {
	if c.start == c.end {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	p := c.buf[c.start:min(c.end, c.start+int(min(n, pieceSize)))]
	c.start += len(p)
	return p, nil
}

// enlarge borrows a larger buffer for a long body.
func (c *conn) enlarge() {
	if len(c.buf) < pieceSize {
		piece := borrowPiece()
		c.end = copy(piece[:], c.buf[c.start:c.end])
		c.start, c.buf = 0, piece[:]
	}
}

// line returns the next line without its end.
func (c *conn) line() ([]byte, error) {
	for scanned := 0; ; {
		if i := bytes.IndexByte(c.buf[c.start+scanned:c.end], '\n'); i >= 0 {
			line := c.buf[c.start : c.start+scanned+i]
			c.start += len(line) + 1
			if !bytes.HasSuffix(line, []byte{'\r'}) {
				return nil, httpsyntax.ErrBareLF
			}
			return line[:len(line)-1], nil
		}
		scanned = c.end - c.start
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// giveBack returns to c's own buffer, which must hold what has not been used.
func (c *conn) giveBack() {
	if len(c.buf) == pieceSize {
		pieces.Put((*[pieceSize]byte)(c.buf))
	}
	c.buf = c.own
}

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// borrowPiece takes a buffer from pieces.
func borrowPiece() *[pieceSize]byte { return pieces.Get().(*[pieceSize]byte) }
