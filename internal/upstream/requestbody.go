package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// turns tracks whose turn it is in an exchange.
type turns interface {
	awaitClient()  // the client must send the next piece of its request
	awaitBackend() // the backend must accept that piece or, after the last, respond
	giveUp()       // nobody's: the client has aborted, and half a request has no response
}

// body is a request body as the client sends it, with a size limit and a time-out for
// each piece. It remembers why reading failed, so that the backend is not blamed for a
// client's broken framing.
type body struct {
	io.Reader
	limit   int64
	left    int64 // bytes that may still come
	client  *http.ResponseController
	timeout time.Duration
	http2   bool  // HTTP/2: the deadline would also end the body between two reads
	turns   turns // may be nil
	failed  atomic.Pointer[error]
	ended   atomic.Bool // all of it was read

	request *http.Request
	trailer http.Header // the declared trailers, with values once the body has ended; nil if none

	received *atomic.Int64 // bytes; may be nil

	reading sync.Mutex // held by Read
	rate    bodyRate

	mu      sync.Mutex // orders deadlines
	by      time.Time  // when the client must have sent the next piece; zero without a time-out
	stopped bool
}

func newBody(w http.ResponseWriter, r *http.Request, o *Options, received *atomic.Int64) *body {
	left := o.MaxBody
	if left == 0 {
		left = math.MaxInt64 - 1
	}
	b := &body{
		Reader: r.Body, limit: o.MaxBody, left: left, client: http.NewResponseController(w), timeout: o.BodyTimeout,
		http2: r.ProtoMajor == 2, request: r, trailer: maps.Clone(r.Trailer), received: received,
	}
	b.rate.least.Store(leastRate(r, o))
	return b
}

var errStopped = errors.New("the rest of the request body is not needed")

// Read returns what the client sent. It returns the end of the body separately, so that
// the reader has sent all bytes before it.
func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.ended.Load() {
		b.awaitBackend()
		return 0, io.EOF // the connection's deadline no longer belongs to the body
	}
	if !b.allow() {
		return 0, errStopped
	}
	if b.turns != nil {
		b.turns.awaitClient()
	}
	start := time.Now()
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left+1)]) // one byte more shows whether the body is too large
	if b.received != nil {
		b.received.Add(int64(n))
	}
	slow := b.rate.took(n, time.Since(start))
	wanted := b.pause()
	if err == nil && slow != nil {
		n, err = 0, slow
	}
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, fmt.Errorf("%w: the limit is %d bytes", ErrBodyTooLarge, b.limit)
	}
	if errors.Is(err, io.EOF) {
		if err = b.takeTrailers(); err == nil {
			b.ended.Store(true)
			if n == 0 {
				err = io.EOF
			}
		}
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		b.awaitBackend()
	case !wanted:
		err = errStopped // not a fault
	default:
		b.fail(err)
	}
	return n, err
}

func (b *body) awaitBackend() {
	if b.turns != nil {
		b.turns.awaitBackend()
	}
}

func (b *body) fail(err error) {
	fault := err // a copy escapes, so that err itself need not
	b.failed.CompareAndSwap(nil, &fault)
	if b.turns != nil {
		b.turns.giveUp()
	}
}

// takeTrailers takes the trailers. The declared ones were checked before anything was
// sent. It refuses others: it is too late to announce them to the backend (RFC 9110,
// 6.6.2), and their content, such as a checksum, must not get lost unnoticed. With
// HTTP/2, net/http's server drops those itself.
func (b *body) takeTrailers() error {
	for name, values := range b.request.Trailer {
		if _, declared := b.trailer[name]; !declared {
			return fmt.Errorf("%w: the Trailer header does not declare %.64q", ErrTrailer, name)
		}
		b.trailer[name] = values
	}
	return nil
}

// Close does nothing: net/http's Close would first read the rest, for as long as the
// client likes, and its server closes the body in any case.
func (b *body) Close() error { return nil }

// remains reports whether the client may still be sending. A nil body is over.
func (b *body) remains() bool { return b != nil && !b.ended.Load() }

// allow starts the client's time-out for the next piece.
func (b *body) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped && b.timeout > 0 {
		b.by = time.Now().Add(b.timeout)
		_ = b.client.SetReadDeadline(b.by) // not every server has deadlines
	}
	return !b.stopped
}

// pause stops the client's time-out between reads. It reports whether the rest was still
// wanted when the read ended: net/http ends the request's context, at which the body may
// be stopped, before it reports the time-out.
func (b *body) pause() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.http2 && !b.stopped {
		_ = b.client.SetReadDeadline(time.Time{})
	}
	return !b.stopped || !b.by.IsZero() && !time.Now().Before(b.by)
}

// converse turns the client's time-out off, because nobody can tell whether the client
// or the backend sends next.
func (b *body) converse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timeout, b.by = 0, time.Time{}
	b.rate.least.Store(0)
	if !b.stopped {
		_ = b.client.SetReadDeadline(time.Time{})
	}
}

// stop ends a running Read and refuses further ones, unless the body is over.
func (b *body) stop() {
	if !b.remains() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.client.SetReadDeadline(time.Now())
}

// fault returns why reading failed, nil if it did not. A nil body has no fault.
func (b *body) fault() error {
	if b != nil {
		if failed := b.failed.Load(); failed != nil {
			return *failed
		}
	}
	return nil
}

// verdict returns the fault, waiting for a running read if ctx, the request's context,
// has ended: if a read fails, net/http ends ctx a moment before it returns the error.
func (b *body) verdict(ctx context.Context) error {
	if b != nil && ctx.Err() != nil {
		b.reading.Lock()
		defer b.reading.Unlock()
	}
	return b.fault()
}
