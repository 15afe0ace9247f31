package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
)

// ClientOptions say how to connect to a server over TLS. The zero value trusts the
// system's authorities and presents no certificate.
type ClientOptions struct {
	CA         string // a PEM file with authorities that replace the system's
	Cert, Key  string // PEM files: the certificate to present, with its chain, and its key
	ServerName string // the name in the server's certificate; "" is the host connected to
	// Option is the prefix of the options' names in errors, such as "redis.tls_".
	Option string
}

// Client makes configurations of crypto/tls for connections to servers.
type Client struct {
	serverName string
	latest     *Latest[material]
	ca, cert   bool // whether these files are set
}

// material is what the files hold.
type material struct {
	roots *x509.CertPool // nil for the system's
	cert  *tls.Certificate
}

// NewClient reads the files. The error names the faulty option.
func NewClient(o ClientOptions, logger *slog.Logger) (*Client, error) {
	latest, err := Follow(logger, o.load, o.CA, o.Cert, o.Key)
	if err != nil {
		return nil, err
	}
	return &Client{serverName: o.ServerName, latest: latest, ca: o.CA != "", cert: o.Cert != ""}, nil
}

// Check reads the files as [NewClient] would. The error names the faulty option.
func (o ClientOptions) Check() error {
	_, err := o.load()
	return err
}

func (o ClientOptions) load() (m material, err error) {
	if o.CA != "" {
		if m.roots, err = Authorities(o.CA); err != nil {
			return material{}, fmt.Errorf("%sca: %w", o.Option, err)
		}
	}
	if o.Cert != "" || o.Key != "" {
		pair, err := Pair(o.Cert, o.Key)
		if err != nil {
			return material{}, fmt.Errorf("%scert and %skey: %w", o.Option, o.Option, err)
		}
		m.cert = &pair
	}
	return m, nil
}

// Pair reads a certificate with its chain, and its key.
func Pair(cert, key string) (tls.Certificate, error) { return tls.LoadX509KeyPair(cert, key) }

// Authorities reads the certificates in a PEM file.
func Authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator named it
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s contains no PEM certificate", path)
	}
	return pool, nil
}

// Config returns a configuration for connections to host, with TLS 1.2 or later. Each
// handshake uses the latest content of the files.
func (c *Client) Config(host string) *tls.Config {
	if c.serverName != "" {
		host = c.serverName
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.cert {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.latest.Get().cert, nil
		}
	}
	if c.ca {
		// RootCAs would never change.
		config.InsecureSkipVerify = true // VerifyConnection verifies, with the latest roots
		config.VerifyConnection = func(s tls.ConnectionState) error {
			return verify(s.PeerCertificates, c.latest.Get().roots, host)
		}
	}
	return config
}

// verify does what crypto/tls does without InsecureSkipVerify.
func verify(chain []*x509.Certificate, roots *x509.CertPool, host string) error {
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] { // a server always presents one
		intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: host})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
