package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Issuer signs certificates in tests, its own among them.
type Issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	File string // of the certificate
}

// New makes an issuer that has signed itself.
func New(t testing.TB) Issuer {
	t.Helper()
	ca := Issuer{}
	cert, _ := ca.Issue(t, "a CA of the tests", x509.ExtKeyUsageAny, &ca)
	ca.File = cert
	return ca
}

// Issue writes a certificate for localhost and its key. If as is not nil it becomes
// that issuer, signed by itself.
func (ca Issuer) Issue(t testing.TB, name string, usage x509.ExtKeyUsage, as *Issuer) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text())),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
		IsCA:         as != nil, BasicConstraintsValid: true,
	}
	if usage == x509.ExtKeyUsageAny { // which OpenSSL does not know
		template.ExtKeyUsage = nil
	}
	parent, signer := ca.cert, ca.key
	if as != nil {
		template.KeyUsage = x509.KeyUsageCertSign
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if as != nil {
		as.key = private
		if as.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}

// SelfSigned writes a certificate for localhost, signed by itself, and its key.
func SelfSigned(t testing.TB) (cert, key string) {
	t.Helper()
	var own Issuer
	return own.Issue(t, "localhost", x509.ExtKeyUsageAny, &own)
}

// Pool trusts the issuer alone.
func (ca Issuer) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}
