package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLS names the files, in PEM, that clients are served over TLS with. The zero TLS
// is none.
type TLS struct {
	Cert     string // with its chain
	Key      string
	ClientCA string // "", or whose certificates clients must show
}

var protocols = []string{"h2", "http/1.1"}

// recheck is how long files are taken to be unchanged.
const recheck = time.Second

// credentials are the files' content, read anew when they change.
type credentials struct {
	files  TLS
	logger *slog.Logger

	mu      sync.Mutex
	current *tls.Config
	read    [3]stamp // when current was, or was last tried to be, made
	checked time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

func newCredentials(files TLS, logger *slog.Logger) (*credentials, error) {
	c := &credentials{files: files, logger: logger, checked: time.Now()}
	c.read = c.stamps()
	var err error
	c.current, err = files.load()
	return c, err
}

// config is what a server is given. It chooses at each handshake.
func (c *credentials) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols, // for net/http to serve HTTP/2
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.latest(), nil
		},
	}
}

// latest is the configuration by the files as they were at most a second ago. While
// they do not make one it stays what it was, and the reason is logged once.
func (c *credentials) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < recheck {
		return c.current
	}
	c.checked = time.Now()
	stamps := c.stamps() // before the files are read, so that a change in between is seen next time
	if stamps == c.read {
		return c.current
	}
	c.read = stamps
	next, err := c.files.load()
	if err != nil {
		c.logger.Error("the TLS files have changed and cannot be used; the old ones serve on", "err", err)
		return c.current
	}
	c.logger.Info("the TLS files have changed and are in use")
	c.current = next
	return next
}

func (c *credentials) stamps() (all [3]stamp) {
	for i, path := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			all[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return all
}

// Check reads the files as [Listen] would. The error names the option at fault.
func (f TLS) Check() error {
	if f == (TLS{}) {
		return nil
	}
	_, err := f.load()
	return err
}

// load reads the files. The error names the option at fault.
func (f TLS) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("server.tls.cert and server.tls.key: %w", err)
	}
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   protocols,
	}
	if f.ClientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("server.tls.client_ca: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("server.tls.client_ca: %s holds no certificate in PEM", f.ClientCA)
	}
	c.ClientAuth = tls.RequireAnyClientCert // and VerifyConnection says which
	c.VerifyConnection = func(s tls.ConnectionState) error { return verifyClient(s, c.ClientCAs, pair.Certificate[0]) }
	return c, nil
}

// verifyClient asks for a certificate by one of the roots, as crypto/tls does; or
// for the server's own, whose key the health command on this host has.
func verifyClient(s tls.ConnectionState, roots *x509.CertPool, own []byte) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the client shows no certificate")
	}
	leaf := s.PeerCertificates[0]
	if bytes.Equal(leaf.Raw, own) {
		return nil
	}
	intermediates := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}
