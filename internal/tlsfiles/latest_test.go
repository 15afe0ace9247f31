package tlsfiles

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/certtest"
)

// A broken change is complained of once, however many handshakes follow it.
func TestBrokenChangeIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	cert, key := certtest.SelfSigned(t)
	files := ClientOptions{Cert: cert, Key: key}
	c, err := Follow(slog.New(slog.NewTextHandler(&log, nil)), files.load, files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	first := c.Get()
	later := func() { c.mu.Lock(); c.checked = time.Time{}; c.mu.Unlock() }
	if later(); c.Get() != first || log.Len() > 0 {
		t.Errorf("files that did not change were read anew: %s", log.String())
	}
	for _, broken := range []string{"broken", "otherwise broken"} {
		if err := os.WriteFile(files.Cert, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if later(); c.Get() != first {
				t.Fatal("a broken pair is in use")
			}
		}
	}
	if n := strings.Count(log.String(), "cannot load the changed TLS files"); n != 2 {
		t.Errorf("%d complaints of two changes: %s", n, log.String())
	}
}
