package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

var errChunk = errors.New("a chunk is malformed")

// passBody streams the response body to the client. If its length is unknown, it flushes
// what has arrived before it waits for the backend.
func (c *conn) passBody(w http.ResponseWriter, method string, a *answer) error {
	switch {
	case bodiless(method, a.status):
		return nil
	case a.chunked:
		c.client, c.held = w, true
		return c.passChunks(w, a)
	case a.length >= 0:
		return c.pass(w, a.length)
	}
	c.client, c.held = w, true
	return c.passToEnd(w)
}

// pass copies exactly n bytes.
func (c *conn) pass(w http.ResponseWriter, n int64) error {
	if n > int64(c.end-c.start)+readBuffer {
		c.enlarge()
	}
	for n > 0 {
		p, err := c.next(n)
		if err != nil {
			return err
		}
		if err := c.deliver(w, p); err != nil {
			return err
		}
		n -= int64(len(p))
	}
	return nil
}

func (c *conn) passToEnd(w http.ResponseWriter) error {
	for {
		p, err := c.next(pieceSize)
		if err != nil {
			return ignoreEOF(err)
		}
		if err := c.deliver(w, p); err != nil {
			return err
		}
	}
}

func (c *conn) deliver(w http.ResponseWriter, p []byte) error {
	if _, err := w.Write(p); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	c.held = c.client != nil
	return nil
}

// passChunks decodes the chunked coding (RFC 9112, 7.1); net/http encodes it again.
func (c *conn) passChunks(w http.ResponseWriter, a *answer) error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, ok := chunkSize(line)
		switch {
		case !ok:
			return errChunk
		case size == 0:
			return c.passTrailers(w, a)
		}
		if err := c.pass(w, size); err != nil {
			return err
		}
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return errChunk
		}
	}
}

// chunkSize reads a size in hexadecimal, which an extension may follow.
func chunkSize(line []byte) (size int64, ok bool) {
	const most = 15 // digits, so that no size overflows
	i := 0
	for ; i < len(line) && i <= most; i++ {
		c := line[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		case c == ';' || c == ' ' || c == '\t':
			return size, i > 0 && httpguts.ValidHeaderFieldValue(string(line))
		default:
			return 0, false
		}
		size = size<<4 | int64(c)
	}
	return size, 0 < i && i <= most
}

// passTrailers reads the fields after the last chunk. It sends them to the client as
// trailers, never as header fields, and drops those of this hop.
func (c *conn) passTrailers(w http.ResponseWriter, a *answer) error {
	h := w.Header()
	for total := 0; total <= maxHeaderBytes; {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		total += len(line)
		name, value, ok := httpsyntax.ParseField(string(line))
		if !ok {
			return errField
		}
		if hopByHop(name) || name == "Content-Length" || isOwn(c.names, name) {
			continue
		}
		if !names(strings.Split(a.trailers, ","), name) {
			// net/http sends trailers only with a chunked response, and the first flush
			// decides whether it is.
			_ = http.NewResponseController(w).Flush()
		}
		h.Add(http.TrailerPrefix+name, value)
	}
	return errHeaderTooLarge
}
