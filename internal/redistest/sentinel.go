//go:build unix

package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartSentinel runs a Sentinel that watches master under a name, with further lines
// of its configuration (such as "requirepass secret"), and returns when it answers.
// It ends with the test.
func StartSentinel(t testing.TB, name string, master *Server, lines ...string) *Server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redistest: %v: install redis-server (Debian: apt-get install redis-server) or run make test", err)
	}
	host, masterPort, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{t: t, binary: binary}
	s.config = func(port string) ([]string, error) {
		text := append([]string{
			"bind " + host, "port " + port, "dir " + dir,
			fmt.Sprintf("sentinel monitor %s %s %s 1", name, host, masterPort),
		}, lines...)
		file := filepath.Join(dir, "sentinel.conf")
		err := os.WriteFile(file, []byte(strings.Join(text, "\n")+"\n"), 0o600)
		return []string{file, "--sentinel"}, err
	}
	s.startOn(freePort)
	return s
}
