package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/storage"
)

// storeError says of a fault of Redis where Redis was sought, why it failed, and
// what to do. Any other error stays as it is, and so does one that says so already.
func storeError(err error, cfg *config.Config) error {
	if _, said := errors.AsType[desk.Reworded](err); said {
		return err
	}
	switch {
	case errors.Is(err, storage.ErrCounter):
		return desk.Reword(err.Error()+"; 'tykctl limits reset KEY' starts it anew", err)
	case !errors.Is(err, storage.ErrUnavailable):
		return err
	}
	at := strings.Join(app.StoreAddrs(cfg), ",")
	if advice := storage.Advice(err); advice != "" {
		detail := err.Error()
		if refusal, ok := errors.AsType[redis.Error](err); ok && !storage.AtSentinel(err) {
			detail = refusal.Error()
		}
		return desk.Reword(fmt.Sprintf("%s: %s (%s)", at, advice, detail), err)
	}
	return desk.Reword(fmt.Sprintf("%s: redis is unavailable: %s; %s", at, why(err), absence(err, cfg.Redis.TLS)), err)
}

// absence says what to do about a Redis that gave no answer. Only where nothing takes
// connections is it known not to run.
func absence(err error, secure bool) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "start it, or name another with --redis"
	}
	speaks := fmt.Sprintf("see its log, and whether it speaks TLS there (redis.tls is %t)", secure)
	if storage.Kind(err) == "timeout" {
		return "it may hang: " + speaks
	}
	return "it ends the connection: " + speaks
}

// why tells in plain words why another host could not be reached.
func why(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the host name %q cannot be resolved", dns.Name)
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted: " + strings.TrimPrefix(cert.Err.Error(), "x509: ")
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name: " + strings.TrimPrefix(host.Error(), "x509: ")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "it does not speak TLS"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no route to it"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "it closed the connection, as a server does that wants TLS or has too many clients"
	case isTimeout(err):
		return "no answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), storage.ErrUnavailable.Error()+": ")
}

// fileError says in plain words why a file could not be used.
func fileError(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return desk.Reword(fmt.Sprintf("cannot %s %s: %s", p.Op, p.Path, p.Err), err)
	}
	return err
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
