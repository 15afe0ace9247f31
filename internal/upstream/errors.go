package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

var (
	// ErrUnreachable means that no connection to the backend could be made.
	ErrUnreachable = errors.New("the backend cannot be reached")
	// ErrTimeout means that the backend took the connection, and then too long to
	// take the request or to answer. With [ErrCut] it is a pause within the answer.
	ErrTimeout = errors.New("the backend took too long")
	// ErrInvalid means that what the backend sent is not an HTTP answer.
	ErrInvalid = errors.New("the backend sent no valid response")
	// ErrClosed is the [ErrInvalid] of a backend that closed the connection before
	// there was an answer.
	ErrClosed = fmt.Errorf("%w: it closed the connection without a response", ErrInvalid)
	// ErrCut means that the answer ended before it was whole, after its beginning was passed on.
	ErrCut = errors.New("the response was cut off")
	// ErrGone means that the client left before the answer was there.
	ErrGone = errors.New("the client disconnected")
	// ErrBodyTooLarge means that the request's body exceeds Options.MaxBody.
	ErrBodyTooLarge = errors.New("body too large")
	// ErrBodyTimeout means that the request's body stalled, or came more slowly than Options.MinBodyRate.
	ErrBodyTimeout = errors.New("the request body did not arrive in time")
	// ErrBody means that the request's body could not be read: its framing is broken.
	ErrBody = errors.New("the request body cannot be read")
	// ErrTrailer means that what follows the request's body may not be passed on. It
	// comes with [ErrBody], and its text is fit for the client.
	ErrTrailer = errors.New("invalid trailer")

	errNoHeader  = fmt.Errorf("%w: it did not accept the request, or sent no response header, within upstream.response_timeout", ErrTimeout)
	errPaused    = fmt.Errorf("%w: it paused within its response for longer than upstream.idle_timeout", ErrTimeout)
	errMidHeader = fmt.Errorf("%w: it closed the connection in the middle of its header", ErrInvalid)
	errBroken    = errors.New("the backend closed the connection or violated HTTP")
)

// classify names the party whose fault it is that there is no answer.
func classify(ctx context.Context, err, body error) error {
	if fault := clients(ctx, body); fault != nil {
		return fault
	}
	switch {
	case unreachable(err):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case timedOut(err):
		return errNoHeader
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errMidHeader
	case closed(err):
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// closed reports whether the backend has closed a connection or reset it, at which
// net/http's client closes its own end. It has no types for two of the errors.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(err.Error(), "server closed idle connection") ||
		strings.Contains(err.Error(), "cannot rewind body after connection loss")
}

// cut is the error of an answer that broke off.
func cut(ctx context.Context, cause, body error) error {
	if fault := clients(ctx, body); fault != nil {
		cause = fault
	} else if timedOut(cause) {
		cause = errPaused
	} else if closed(cause) {
		cause = errBroken
	}
	return fmt.Errorf("%w: %w", ErrCut, cause)
}

// clients is the client's own fault, nil if it has none. The body's comes first:
// what the transport, or the end of ctx, says then is only its echo.
func clients(ctx context.Context, body error) error {
	switch {
	case errors.Is(body, ErrBodyTooLarge), errors.Is(body, ErrBodyTimeout):
		return body
	case errors.Is(body, os.ErrDeadlineExceeded):
		return ErrBodyTimeout // at which net/http takes the client for gone, too
	case ctx.Err() != nil:
		return ErrGone
	case body != nil:
		return fmt.Errorf("%w: %w", ErrBody, body)
	}
	return nil
}

func unreachable(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	return strings.Contains(err.Error(), "TLS handshake timeout") // net/http's, which has no type
}
