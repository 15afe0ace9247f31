package cli

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
	"testing"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/storage"
)

// said is an error of Redis itself.
type said string

func (s said) Error() string { return string(s) }
func (said) RedisError()     {}

func TestFaultsOfRedisInPlainWords(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	cfg, err := config.Load(config.Source{NoFile: true, Flags: map[string]string{"redis.username": "gateway"}})
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"redis is unavailable: connection refused: nothing listens there; start it, or name":  dial(syscall.ECONNREFUSED),
		"redis is unavailable: there is no route to it; start it":                             dial(syscall.EHOSTUNREACH),
		`redis is unavailable: the host name "nowhere" cannot be resolved`:                    &net.OpError{Err: &net.DNSError{Name: "nowhere", Err: "no such host"}},
		"redis is unavailable: no answer in time; it may hang: see its log, and whether":      context.DeadlineExceeded,
		"redis is unavailable: it closed the connection":                                      fmt.Errorf("read: %w", io.EOF),
		"its certificate's issuer is not trusted: set redis.tls_ca":                           &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"it does not speak TLS at this address: use its TLS port":                             tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"redis does not allow its user this: 'tykctl doctor' names the missing right":         said("NOPERM no permissions"),
		"redis does not accept the user or the password: check redis.username":                said("WRONGPASS invalid username-password pair"),
		"redis is out of memory and refuses to write":                                         said("OOM command not allowed"),
		"redis is a replica, which refuses to write":                                          said("READONLY You can't write"),
		"redis is loading its data: try again in a moment":                                    said("LOADING Redis is loading"),
		"redis cannot save to its disk and refuses to write":                                  said("MISCONF Redis is configured to save"),
		"the Redis Cluster is down, because":                                                  said("CLUSTERDOWN The cluster is down"),
		"redis is one node of a Cluster":                                                      said("MOVED 1234 127.0.0.1:7000"),
		"redis answers with an error: see its log, and 'tykctl doctor' (ERR unknown command)": said("ERR unknown command"),
	} {
		fault := fmt.Errorf("%w (kind): %w", storage.ErrUnavailable, err)
		got := storeError(fault, cfg)
		if !strings.HasPrefix(got.Error(), "localhost:6379: "+want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
		if !errors.Is(got, storage.ErrUnavailable) || exitCode(got) != ExitNoRedis {
			t.Errorf("%v: exit code %d, want %d", err, exitCode(got), ExitNoRedis)
		}
		if again := storeError(got, cfg); again.Error() != got.Error() {
			t.Errorf("said twice: %q", again)
		}
	}
	if other := storeError(storage.ErrUnknown, cfg); other != storage.ErrUnknown { //nolint:errorlint // the very same
		t.Errorf("%v is no fault of Redis", other)
	}
}
