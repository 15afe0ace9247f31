package systemtest

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

// startRedisTLS is a Redis that shows a certificate by ca and wants one by it.
func startRedisTLS(t *testing.T, ca certtest.Issuer) (addr string) {
	t.Helper()
	cert, key := ca.Issue(t, "redis", x509.ExtKeyUsageServerAuth, nil)
	addr = redistest.Nowhere(t)
	_, port, _ := net.SplitHostPort(addr)
	redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", ca.File, "--tls-auth-clients", "yes")
	return addr
}

// What is wrong with a certificate is said with the option that helps, and never
// taken for a Redis that is not running.
func TestRedisOverTLS(t *testing.T) {
	ca, stranger := certtest.New(t), certtest.New(t)
	addr := startRedisTLS(t, ca)
	cert, key := ca.Issue(t, "a gateway", x509.ExtKeyUsageClientAuth, nil)
	wrongCert, wrongKey := stranger.Issue(t, "a stranger", x509.ExtKeyUsageClientAuth, nil)
	_, port, _ := net.SplitHostPort(addr)
	for name, tt := range map[string]struct {
		options map[string]string
		says    string // "" if it works
	}{
		"all is well":      {map[string]string{"CA": ca.File, "CERT": cert, "KEY": key}, ""},
		"by another name":  {map[string]string{"CA": ca.File, "CERT": cert, "KEY": key, "SERVER_NAME": "localhost"}, ""},
		"unknown issuer":   {map[string]string{"CERT": cert, "KEY": key}, "is not trusted: set redis.tls_ca"},
		"another issuer":   {map[string]string{"CA": stranger.File, "CERT": cert, "KEY": key}, "is not trusted: set redis.tls_ca"},
		"another name":     {map[string]string{"CA": ca.File, "CERT": cert, "KEY": key, "SERVER_NAME": "elsewhere"}, `not for "elsewhere".*redis.tls_server_name`},
		"no certificate":   {map[string]string{"CA": ca.File}, "redis.tls_cert and redis.tls_key"},
		"a stranger's own": {map[string]string{"CA": ca.File, "CERT": wrongCert, "KEY": wrongKey}, "redis.tls_cert and redis.tls_key"},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"TYK_PROX_REDIS__ADDR=127.0.0.1:" + port, "TYK_PROX_REDIS__TLS=true", "TYK_PROX_APPLICATION__TOKEN__JWT_SECRET=" + testSecret}
			for option, value := range tt.options {
				env = append(env, "TYK_PROX_REDIS__TLS_"+option+"="+value)
			}
			var out, errs strings.Builder
			a := &cli.Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return env }}
			code := a.Run(t.Context(), []string{"token", "list", "--env"})
			if tt.says == "" {
				if code != cli.ExitOK {
					t.Errorf("exit %d: %s", code, errs.String())
				}
				return
			}
			first, second, _ := strings.Cut(tt.says, ".*")
			if code != cli.ExitNoRedis || !strings.Contains(errs.String(), first) || !strings.Contains(errs.String(), second) || strings.Contains(errs.String(), "start it") {
				t.Errorf("exit %d: %s\nwant %s", code, errs.String(), tt.says)
			}
		})
	}
}

// A backend may have its own CA and want a certificate, and the files may be replaced
// while the gateway runs.
func TestBackendOverTLS(t *testing.T) {
	ca, old := certtest.New(t), certtest.New(t)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].Subject.CommonName + " " + r.Proto))
	}))
	serverCert, serverKey := ca.Issue(t, "backend", x509.ExtKeyUsageServerAuth, nil)
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	backend.EnableHTTP2 = true
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	backend.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	backend.StartTLS()
	t.Cleanup(backend.Close)

	cert, key := ca.Issue(t, "the gateway", x509.ExtKeyUsageClientAuth, nil)
	bundle := t.TempDir() + "/ca.pem"
	copyFile(t, old.File, bundle) // not yet the backend's
	w := start(t, map[string]string{
		"application.target_host": backend.URL, "upstream.tls_ca": bundle,
		"upstream.tls_cert": cert, "upstream.tls_key": key, "upstream.tls_server_name": "localhost",
	})
	token := w.token(desk.Grant{})
	w.want(w.get("/api/v1/test", token.JWT), 502, "upstream_unreachable")
	copyFile(t, ca.File, bundle)
	w.eventually("the new CA", func() bool {
		r := w.get("/api/v1/test", token.JWT)
		return r.StatusCode == 200 && r.body == "the gateway HTTP/2.0"
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, append(text, '\n'), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Files that cannot be used are found before anything is served.
func TestClientTLSFaults(t *testing.T) {
	ca := certtest.New(t)
	cert, key := ca.Issue(t, "a", x509.ExtKeyUsageClientAuth, nil)
	_, otherKey := ca.Issue(t, "b", x509.ExtKeyUsageClientAuth, nil)
	base := map[string]string{"APPLICATION__TARGET_HOST": "https://localhost", "APPLICATION__TOKEN__JWT_SECRET": testSecret, "REDIS__TLS": "true"}
	for name, tt := range map[string]struct {
		options map[string]string
		says    []string
	}{
		"no such file":        {map[string]string{"REDIS__TLS_CA": "/none.pem", "UPSTREAM__TLS_CA": "/none.pem"}, []string{"redis.tls_ca: ", "upstream.tls_ca: "}},
		"no certificate":      {map[string]string{"REDIS__TLS_CA": key}, []string{"redis.tls_ca: ", "no PEM certificate"}},
		"another's key":       {map[string]string{"REDIS__TLS_CERT": cert, "REDIS__TLS_KEY": otherKey}, []string{"redis.tls_cert and redis.tls_key: "}},
		"a key alone":         {map[string]string{"REDIS__TLS_KEY": key}, []string{"redis.tls_key", "set redis.tls_cert too"}},
		"a certificate alone": {map[string]string{"UPSTREAM__TLS_CERT": cert}, []string{"upstream.tls_cert", "set upstream.tls_key too"}},
		"without TLS": {map[string]string{"REDIS__TLS": "false", "REDIS__TLS_CA": ca.File, "APPLICATION__TARGET_HOST": "http://localhost", "UPSTREAM__TLS_SERVER_NAME": "x"},
			[]string{"redis.tls_ca", "set redis.tls to true", "upstream.tls_server_name", "https"}},
		"without Sentinels": {map[string]string{"REDIS__SENTINEL_PASSWORD": "canary"}, []string{"redis.sentinel_password", "set redis.master_name"}},
	} {
		t.Run(name, func(t *testing.T) {
			options := maps.Clone(base)
			maps.Copy(options, tt.options)
			var env []string
			for option, value := range options {
				env = append(env, "TYK_PROX_"+option+"="+value)
			}
			var out, errs strings.Builder
			a := &cli.Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return env }}
			code := a.Run(t.Context(), []string{"config", "check", "--env"})
			for _, says := range tt.says {
				if code != cli.ExitFailed || !strings.Contains(errs.String(), says) || strings.Contains(errs.String(), "canary") {
					t.Errorf("exit %d: %s\nwant %s", code, errs.String(), says)
				}
			}
		})
	}
}
