package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issuer signs certificates in tests, its own among them.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // of the certificate
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	ca := issuer{}
	cert, _ := ca.issue(t, "a CA of the tests", x509.ExtKeyUsageAny, &ca)
	ca.file = cert
	return ca
}

// issue writes a certificate for localhost and its key. If as is not nil it becomes
// that issuer, signed by itself.
func (ca issuer) issue(t *testing.T, name string, usage x509.ExtKeyUsage, as *issuer) (cert, key string) {
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

// certificate writes a certificate for localhost, signed by itself, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	var own issuer
	return own.issue(t, "localhost", x509.ExtKeyUsageAny, &own)
}

// pool trusts the issuer alone.
func (ca issuer) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// client trusts the issuer, and shows the certificate if one is given.
func (ca issuer) client(t *testing.T, files ...string) *http.Client {
	t.Helper()
	c := &tls.Config{RootCAs: ca.pool()}
	if len(files) == 2 {
		pair, err := tls.LoadX509KeyPair(files[0], files[1])
		if err != nil {
			t.Fatal(err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	return &http.Client{Transport: transport, Timeout: patience}
}

// startTLS runs a gateway with a certificate by the issuer. What is returned for
// the files may be overwritten.
func startTLS(t *testing.T, ca issuer, options map[string]string) (w *world, cert, key string) {
	t.Helper()
	cert, key = ca.issue(t, "the gateway", x509.ExtKeyUsageServerAuth, nil)
	all := map[string]string{"server.tls.cert": cert, "server.tls.key": key}
	maps.Copy(all, options)
	return start(t, all), cert, key
}

func (w *world) over(client *http.Client, jwt string) (reply, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", w.url+"/api/v1/test", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	return w.readReply(res), nil
}

func TestTLS(t *testing.T) {
	ca := newIssuer(t)
	w, _, _ := startTLS(t, ca, nil)
	key := w.token(grant{})
	modern, older := ca.client(t), ca.client(t)
	older.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
	older.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	for client, version := range map[*http.Client]int{modern: 2, older: 1} {
		r, err := w.over(client, key.JWT)
		if err != nil {
			t.Fatal(err)
		}
		w.want(r, 200, "")
		if r.ProtoMajor != version || r.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s over %s", r.Proto, tls.VersionName(r.TLS.Version))
		}
	}
	for _, seen := range w.backend.requests() {
		if got := seen.Header.Get("X-Forwarded-Proto"); got != "https" {
			t.Errorf("X-Forwarded-Proto: %s", got)
		}
	}

	addr := w.in.server.Addr().String()
	_, err := tls.Dial("tcp", addr, &tls.Config{MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true})
	if err == nil {
		t.Error("TLS 1.1 is taken")
	}
	w.eventually("logged", func() bool { return strings.Contains(w.log.String(), "TLS handshake error") })
	if line := w.log.find("level", "debug"); !strings.Contains(line["msg"].(string), "TLS handshake error") {
		t.Errorf("the log says %v", line)
	}
	if r := w.rawTo(addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); r.StatusCode != 400 {
		t.Errorf("without TLS: %d", r.StatusCode)
	}
}

func TestCertificatesAreReadAnewWhenTheyChange(t *testing.T) {
	ca := newIssuer(t)
	w, cert, key := startTLS(t, ca, nil)
	served := func() string {
		conn, err := tls.Dial("tcp", w.in.server.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	replace := func(name string) {
		newCert, newKey := ca.issue(t, name, x509.ExtKeyUsageServerAuth, nil)
		for from, to := range map[string]string{newCert: cert, newKey: key} {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := served(); got != "the gateway" {
		t.Fatalf("%q is served", got)
	}
	replace("the second")
	w.eventually("the second certificate", func() bool { return served() == "the second" })

	if err := os.WriteFile(key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	const refused = "cannot load the changed TLS files; the old ones stay in use"
	w.eventually("a word on the broken file", func() bool {
		if got := served(); got != "the second" {
			t.Fatalf("%q is served", got)
		}
		return w.log.count(refused) > 0
	})
	replace("the third")
	w.eventually("the third certificate", func() bool { return served() == "the third" })
	if strings.Contains(w.log.String(), "no key") {
		t.Error("the log has the file's content")
	}
}

func TestClientCertificates(t *testing.T) {
	ca, other := newIssuer(t), newIssuer(t)
	w, cert, key := startTLS(t, ca, map[string]string{"server.tls.client_ca": ca.file})
	token := w.token(grant{})
	issue := func(by issuer, usage x509.ExtKeyUsage) []string {
		cert, key := by.issue(t, "a client", usage, nil)
		return []string{cert, key}
	}
	for name, tt := range map[string]struct {
		files []string
		taken bool
	}{
		"by the CA":                    {issue(ca, x509.ExtKeyUsageClientAuth), true},
		"the gateway's own":            {[]string{cert, key}, true},
		"none":                         {nil, false},
		"by another CA":                {issue(other, x509.ExtKeyUsageClientAuth), false},
		"by the CA, but for a server":  {issue(ca, x509.ExtKeyUsageServerAuth), false},
		"by another CA, for any usage": {issue(other, x509.ExtKeyUsageAny), false},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := w.over(ca.client(t, tt.files...), token.JWT)
			if taken := err == nil; taken != tt.taken {
				t.Fatalf("taken %t: %v", taken, err)
			}
			if tt.taken {
				w.want(r, 200, "")
			}
		})
	}
	var out bytes.Buffer
	a := &app{out: &out}
	if err := a.health(t.Context(), localClient(w.cfg), w.url+"/health"); err != nil || out.String() != "Ok\n" {
		t.Errorf("the health command: %q, %v", out.String(), err)
	}
}

// rawTo is raw to another address than the gateway's URL.
func (w *world) rawTo(addr, request string) reply {
	w.t.Helper()
	plain := *w
	plain.url = "http://" + addr
	return plain.raw(request)
}

func TestTLSFilesThatServeNobody(t *testing.T) {
	cert, key := certificate(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ cert, key, ca, want string }{
		"no file":        {"nowhere.pem", key, "", "server.tls.cert and server.tls.key: open nowhere.pem"},
		"exchanged":      {key, cert, "", "server.tls.cert and server.tls.key: "},
		"no CA file":     {cert, key, "nowhere.pem", "server.tls.client_ca: open nowhere.pem"},
		"an empty CA":    {cert, key, empty, "contains no PEM certificate"},
		"cert alone":     {cert, "", "", "server.tls: cert and key must be set together"},
		"client_ca only": {"", "", cert, "server.tls: cert and key must be set together"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			a := &app{out: io.Discard, err: &said, environ: os.Environ}
			config := filepath.Join(t.TempDir(), "config.json")
			text := `{"application": {"target_host": "http://localhost:1", "port": 0, "token": {"jwt_secret": "` + testSecret + `"}}, "monitoring": {"port": 0},
				"server": {"tls": {"cert": "` + tt.cert + `", "key": "` + tt.key + `", "client_ca": "` + tt.ca + `"}}}`
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if code := a.run(t.Context(), []string{"serve", "--config", config}); code != 1 || !strings.Contains(said.String(), tt.want) {
				t.Errorf("exit %d: %s", code, said.String())
			}
		})
	}
}
