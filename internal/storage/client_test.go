package storage

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/tlsfiles"
)

// A resetConn was reset by its peer; said is what can still be read from it.
type resetConn struct {
	net.Conn
	said error
}

func (resetConn) Write([]byte) (int, error)       { return 0, syscall.ECONNRESET }
func (c resetConn) Read([]byte) (int, error)      { return 0, c.said }
func (resetConn) SetReadDeadline(time.Time) error { return nil }

// The alert counts and not the reset behind it, so that nobody looks for a server that
// is not running.
func TestAlertBeforeReset(t *testing.T) {
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}
	if _, err := (alertedConn{resetConn{said: alert}}).Write([]byte("x")); !tlsfiles.IsFault(err) {
		t.Errorf("%v, want the alert", err)
	}
	if _, err := (alertedConn{resetConn{said: syscall.ECONNRESET}}).Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want the reset", err)
	}
}
