package cli

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
)

// Only a Redis that takes no connections is said to be started.
func TestAbsence(t *testing.T) {
	address := func(handle func(net.Conn)) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go handle(conn)
			}
		}()
		return listener.Addr().String()
	}
	for name, tt := range map[string]struct{ addr, says string }{
		"nobody listens": {redistest.Nowhere(t), "start it, or name another with --redis"},
		"it hangs up":    {address(func(c net.Conn) { _ = c.Close() }), "it ends the connection: see its log, and whether it speaks TLS there (redis.tls is false)"},
		"it is silent":   {address(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), "it may hang: see its log, and whether it speaks TLS there (redis.tls is false)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := config.Load(config.Source{NoFile: true, Flags: map[string]string{"redis.addr": tt.addr}})
			if err != nil {
				t.Fatal(err)
			}
			err = withStore(cfg, func(keys *registry.Registry) error {
				_, err := keys.Lookup(t.Context(), "a-key-of-the-tests")
				return err
			})
			if err == nil || !strings.HasSuffix(err.Error(), tt.says) {
				t.Errorf("%v; want %s", err, tt.says)
			}
		})
	}
}
