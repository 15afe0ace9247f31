package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

var (
	// ErrUnreachable means that no connection to the backend could be made.
	ErrUnreachable = errors.New("the backend cannot be reached")
	// ErrTimeout means that the backend took the connection or the request, and did not answer in time.
	ErrTimeout = errors.New("the backend did not answer in time")
	// ErrInvalid means that what the backend sent is not an HTTP answer.
	ErrInvalid = errors.New("the backend sent no valid answer")
	// ErrCut means that the answer ended before it was whole, after its beginning was passed on.
	ErrCut = errors.New("the answer was cut off")
	// ErrGone means that the client left before the answer was there.
	ErrGone = errors.New("the client went away")
	// ErrBodyTooLarge means that the request's body exceeds Options.MaxBody.
	ErrBodyTooLarge = errors.New("body too large")
	// ErrBodyTimeout means that the request's body stalled, or came more slowly than Options.MinBodyRate.
	ErrBodyTimeout = errors.New("the request's body did not come in time")
	// ErrBody means that the request's body could not be read: its framing is broken.
	ErrBody = errors.New("the request's body cannot be read")
)

// classify names the party whose fault it is that there is no answer.
func classify(ctx context.Context, err, body error) error {
	if fault := clients(ctx, body); fault != nil {
		return fault
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	if unreachable(err) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// cut is the error of an answer that broke off.
func cut(ctx context.Context, cause, body error) error {
	if fault := clients(ctx, body); fault != nil {
		cause = fault
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
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
