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
	// ErrTimeout means that the backend accepted the connection but took too long to
	// accept the request or to respond. With [ErrCut] it is a pause within the response.
	ErrTimeout = errors.New("the backend took too long")
	// ErrInvalid means that the backend did not send a valid HTTP response.
	ErrInvalid = errors.New("the backend sent no valid response")
	// ErrClosed is an [ErrInvalid]: the backend closed the connection without a
	// response.
	ErrClosed = fmt.Errorf("%w: it closed the connection without a response", ErrInvalid)
	// ErrCut means that the response ended early, after its beginning was sent to the client.
	ErrCut = errors.New("the response was cut off")
	// ErrGone means that the client disconnected before the response.
	ErrGone = errors.New("the client disconnected")
	// ErrBodyTooLarge means that the request body exceeds Options.MaxBody.
	ErrBodyTooLarge = errors.New("body too large")
	// ErrBodyTimeout means that the request body stalled or was slower than Options.MinBodyRate.
	ErrBodyTimeout = errors.New("the request body did not arrive in time")
	// ErrBody means that the request body could not be read: its framing is broken.
	ErrBody = errors.New("the request body cannot be read")
	// ErrTrailer means that a trailer of the request must not be forwarded. It comes
	// with [ErrBody]; the client may read its text.
	ErrTrailer = errors.New("invalid trailer")

	errNoHeader  = fmt.Errorf("%w: it did not accept the request, or sent no response header, within upstream.response_timeout", ErrTimeout)
	errPaused    = fmt.Errorf("%w: it paused within its response for longer than upstream.idle_timeout", ErrTimeout)
	errMidHeader = fmt.Errorf("%w: it closed the connection in the middle of its header", ErrInvalid)
	errBroken    = errors.New("the backend closed the connection or violated HTTP")
)

// classify says who is to blame that there is no response.
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

// closed reports whether the backend closed or reset a connection; net/http's client
// then closes its own end. Two of its errors have no type.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(err.Error(), "server closed idle connection") ||
		strings.Contains(err.Error(), "cannot rewind body after connection loss")
}

// cut returns the error of a response that ended early.
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

// clients returns the client's own fault, nil if there is none. A fault of the body
// comes first: an error of the transport or of ctx then only follows from it.
func clients(ctx context.Context, body error) error {
	switch {
	case errors.Is(body, ErrBodyTooLarge), errors.Is(body, ErrBodyTimeout):
		return body
	case errors.Is(body, os.ErrDeadlineExceeded):
		return ErrBodyTimeout // net/http then considers the client gone, too
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
	return strings.Contains(err.Error(), "TLS handshake timeout") // net/http's error has no type
}
