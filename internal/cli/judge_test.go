package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

func TestCertificateIsJudged(t *testing.T) {
	cert, key := certtest.SelfSigned(t) // from an hour ago to in an hour
	files := config.TLS{Cert: cert, Key: key}
	for after, want := range map[time.Duration]struct {
		desk.Outcome
		detail string
	}{
		-2 * time.Hour:   {desk.Failure, "is not valid before "},
		0:                {desk.Fine, "is valid until "},
		50 * time.Minute: {desk.Warning, "is valid until "},
		2 * time.Hour:    {desk.Failure, "has not been valid since "},
	} {
		found := judgeCertificate(files, time.Now().Add(after))
		if len(found) != 1 || found[0].Result != want.Outcome || !strings.HasPrefix(found[0].Detail, cert+" "+want.detail) {
			t.Errorf("after %s: %+v, want %s", after, found, want.detail)
		}
	}
	if found := judgeCertificate(config.TLS{}, time.Now()); found != nil {
		t.Errorf("without TLS: %+v", found)
	}

	var out bytes.Buffer
	a := &Program{Out: &out, Err: io.Discard, Now: time.Now}
	file := filepath.Join(t.TempDir(), "config.json")
	text := `{"server": {"tls": {"cert": "` + cert + `", "key": "` + key + `"}}, "redis": {"addr": "` + redistest.Nowhere(t) + `"}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if a.Run(t.Context(), []string{"doctor", "--config", file}); !strings.Contains(out.String(), "✓ certificate     "+cert) {
		t.Errorf("doctor says %s", out.String())
	}
}
