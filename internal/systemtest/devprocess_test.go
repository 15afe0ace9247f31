//go:build unix

package systemtest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
)

// TestDevRemovesItsFile ends serve --dev by each signal that a person or a system
// sends, and by a second one while a request is under way.
func TestDevRemovesItsFile(t *testing.T) {
	for _, signals := range [][]syscall.Signal{{syscall.SIGTERM}, {syscall.SIGINT}, {syscall.SIGHUP}, {syscall.SIGINT, syscall.SIGINT}} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			slow, arrived, end := newBackend(t), make(chan struct{}), make(chan struct{})
			slow.answer(func(http.ResponseWriter, *http.Request) { close(arrived); <-end })
			defer close(end)
			dir := t.TempDir()
			cmd := program(t, "serve", "--dev", "--env", "--target", slow.URL)
			cmd.Env = append(append(cmd.Env, freePorts...), "TMPDIR="+dir, "TYK_PROX_SERVER__DRAIN_TIMEOUT=1h")
			var out lines
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, log: &out}
			w.eventually("the curl line", func() bool { return out.count("\ncurl ") == 1 })
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Fatalf("%v, %v", files, err)
			}
			if len(signals) > 1 {
				line := regexp.MustCompile(`(?m)^curl .*$`).FindString(out.String())
				if err := exec.CommandContext(t.Context(), "sh", "-c", line).Start(); err != nil {
					t.Fatal(err)
				}
				<-arrived
			}
			gone := func() bool { files, _ := os.ReadDir(dir); return len(files) == 0 }
			for n, s := range signals {
				if n > 0 {
					w.eventually("the file's end", gone)
				}
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Wait(); err != nil && len(signals) == 1 {
				t.Errorf("ended by %v", err)
			}
			if !gone() {
				t.Error("the file is left behind")
			}
		})
	}
}
