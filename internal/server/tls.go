package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tykctl/tykctl/internal/tlsfiles"
)

// TLS names the PEM files for serving clients over TLS. The zero value turns TLS off.
type TLS struct {
	Cert     string // with its chain
	Key      string
	ClientCA string // issuers of the certificates that clients must present; "" requires none
}

var protocols = []string{"h2", "http/1.1"}

// newCredentials reads the files, and reads them again when they change.
func newCredentials(files TLS, logger *slog.Logger) (*tlsfiles.Latest[*tls.Config], error) {
	return tlsfiles.Follow(logger, files.load, files.Cert, files.Key, files.ClientCA)
}

// serverConfig returns a server's configuration, which uses the latest credentials at
// each handshake.
func serverConfig(credentials *tlsfiles.Latest[*tls.Config]) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols, // for net/http to serve HTTP/2
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return credentials.Get(), nil
		},
	}
}

// Check reads the files as [Listen] would. The error names the faulty option.
func (f TLS) Check() error {
	if f == (TLS{}) {
		return nil
	}
	_, err := f.load()
	return err
}

// load reads the files. The error names the faulty option.
func (f TLS) load() (*tls.Config, error) {
	pair, err := tlsfiles.Pair(f.Cert, f.Key)
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
	if c.ClientCAs, err = tlsfiles.Authorities(f.ClientCA); err != nil {
		return nil, fmt.Errorf("server.tls.client_ca: %w", err)
	}
	c.ClientAuth = tls.RequireAnyClientCert // VerifyConnection decides which
	c.VerifyConnection = func(s tls.ConnectionState) error { return verifyClient(s, c.ClientCAs, pair.Certificate[0]) }
	return c, nil
}

// verifyClient accepts a certificate issued by one of the roots, as crypto/tls does, or
// the server's own, which the health command on this host presents.
func verifyClient(s tls.ConnectionState, roots *x509.CertPool, own []byte) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the client sent no certificate")
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
