//go:build unix

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestInstall runs make install as a packager does, with this test for the binary.
func TestInstall(t *testing.T) {
	bin, dest := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "tykctl")); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "make", "-C", root, "install", "BIN="+bin, "DESTDIR="+dest, "PREFIX=/opt/tykctl").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for file, mode := range map[string]os.FileMode{
		"bin/tykctl": 0o755, "share/bash-completion/completions/tykctl": 0o644, "share/zsh/site-functions/_tykctl": 0o644,
		"share/fish/vendor_completions.d/tykctl.fish": 0o644, "share/man/man1/tykctl-token-revoke.1": 0o644,
	} {
		info, err := os.Stat(filepath.Join(dest, "opt/tykctl", file))
		if err != nil || info.Mode().Perm() != mode || info.Size() == 0 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	installed := filepath.Join(dest, "opt/tykctl/bin/tykctl")
	if out, err := exec.CommandContext(t.Context(), installed, "version").Output(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
