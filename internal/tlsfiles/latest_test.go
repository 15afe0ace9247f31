package tlsfiles

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate and its key.
func pair(t *testing.T) ClientOptions {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := ClientOptions{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: cert}, files.Key: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// A broken change is complained of once, however many handshakes follow it.
func TestBrokenChangeIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	files := pair(t)
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
