package redistest

import (
	"net"
	"testing"
)

// Nowhere is a loopback address where nobody listens.
func Nowhere(t testing.TB) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
