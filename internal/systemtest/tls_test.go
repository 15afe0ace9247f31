package systemtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
)

// clientOf trusts the issuer, and shows the certificate if one is given.
func clientOf(t *testing.T, ca certtest.Issuer, files ...string) *http.Client {
	t.Helper()
	c := &tls.Config{RootCAs: ca.Pool()}
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
func startTLS(t *testing.T, ca certtest.Issuer, options map[string]string) (w *world, cert, key string) {
	t.Helper()
	cert, key = ca.Issue(t, "the gateway", x509.ExtKeyUsageServerAuth, nil)
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
	ca := certtest.New(t)
	w, _, _ := startTLS(t, ca, nil)
	key := w.token(desk.Grant{})
	modern, older := clientOf(t, ca), clientOf(t, ca)
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

	addr := w.in.Server.Addr().String()
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
	ca := certtest.New(t)
	w, cert, key := startTLS(t, ca, nil)
	served := func() string {
		conn, err := tls.Dial("tcp", w.in.Server.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	replace := func(name string) {
		newCert, newKey := ca.Issue(t, name, x509.ExtKeyUsageServerAuth, nil)
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
	ca, other := certtest.New(t), certtest.New(t)
	w, cert, key := startTLS(t, ca, map[string]string{"server.tls.client_ca": ca.File})
	token := w.token(desk.Grant{})
	issue := func(by certtest.Issuer, usage x509.ExtKeyUsage) []string {
		cert, key := by.Issue(t, "a client", usage, nil)
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
			r, err := w.over(clientOf(t, ca, tt.files...), token.JWT)
			if taken := err == nil; taken != tt.taken {
				t.Fatalf("taken %t: %v", taken, err)
			}
			if tt.taken {
				w.want(r, 200, "")
			}
		})
	}
	if r := w.health(); r.code != cli.ExitOK || r.out != "Ok\n" {
		t.Errorf("the health command: %+v", r)
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
	cert, key := certtest.SelfSigned(t)
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
			a := &cli.Program{Out: io.Discard, Err: &said, Environ: os.Environ}
			config := filepath.Join(t.TempDir(), "config.json")
			text := `{"application": {"target_host": "http://localhost:1", "port": 0, "token": {"jwt_secret": "` + testSecret + `"}}, "monitoring": {"port": 0},
				"server": {"tls": {"cert": "` + tt.cert + `", "key": "` + tt.key + `", "client_ca": "` + tt.ca + `"}}}`
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if code := a.Run(t.Context(), []string{"serve", "--config", config}); code != 1 || !strings.Contains(said.String(), tt.want) {
				t.Errorf("exit %d: %s", code, said.String())
			}
		})
	}
}
