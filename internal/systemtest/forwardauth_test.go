package systemtest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
)

// nginxWith starts an nginx with the server block in docs/forward-auth.md, its names
// filled in, and returns its URL.
func nginxWith(t *testing.T, gateway, backend string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "forward-auth.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```nginx\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/forward-auth.md shows no block for nginx")
	}
	addr := redistest.Nowhere(t)
	block = strings.NewReplacer("listen 80;", "listen "+addr+";", "tykctl:8080", gateway, "backend:80", backend).Replace(block)
	dir := t.TempDir()
	config := `daemon off; master_process off; pid nginx.pid; error_log stderr;
		events {} http { access_log off;
		client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
		` + block + "}"
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said lines
	nginx := exec.Command("nginx", "-p", dir, "-c", file)
	nginx.Stdout, nginx.Stderr = &said, &said
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Kill()
		_ = nginx.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return "http://" + addr
}

// That block, under a real nginx: what the gateway decides is what clients of nginx get, and what is admitted reaches the backend past the gateway.
func TestForwardAuthWithNginx(t *testing.T) {
	w := start(t, map[string]string{
		"application.forward_auth":    "true",
		"application.trusted_proxies": "127.0.0.1",
	})
	behind := newBackend(t)
	nginx := *w
	nginx.url = nginxWith(t, w.in.Server.Addr().String(), behind.Listener.Addr().String())
	w.eventually("nginx listens", func() bool {
		res, err := http.Get(nginx.url)
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
	key := w.token(desk.Grant{Limit: 2, Window: forever, Routes: []string{"GET /allowed/*", "POST /allowed/*"}})
	// reason is the gateway's, found by the id that clients and the backend get.
	reason := func(h http.Header) any { return w.log.find("request_id", h.Get("X-Request-Id"))["reason"] }

	if r := nginx.get("/allowed/it?a=%zz", key.JWT); r.StatusCode != 200 || r.body != "hello\n" || !strings.HasPrefix(r.Header.Get("RateLimit"), `"default";r=1`) {
		t.Errorf("admitted: %d %s %v", r.StatusCode, r.body, r.Header)
	}
	if r := nginx.get("/allowed/it", ""); r.StatusCode != 401 || r.Header.Get("Www-Authenticate") != `Bearer realm="tykctl"` {
		t.Errorf("without a token: %d %v", r.StatusCode, r.Header)
	}
	if r := nginx.get("/other", key.JWT); r.StatusCode != 403 || reason(r.Header) != "route_forbidden" {
		t.Errorf("another route: %d %v", r.StatusCode, r.Header)
	}
	if r := nginx.do("DELETE", "/allowed/it", key.JWT, nil); r.StatusCode != 403 {
		t.Errorf("another method: %d", r.StatusCode)
	}
	if r := nginx.do("POST", "/allowed/it", key.JWT, strings.NewReader("a body that the gateway need not see")); r.StatusCode != 200 {
		t.Errorf("with a body: %d %s", r.StatusCode, r.body)
	}
	if r := nginx.get("/allowed/it", key.JWT); r.StatusCode != 429 || reason(r.Header) != "rate_limited" ||
		r.Header.Get("Retry-After") == "" || !strings.HasPrefix(r.Header.Get("RateLimit"), `"default";r=0`) {
		t.Errorf("over the limit: %d %v", r.StatusCode, r.Header)
	}
	if r := nginx.raw("GET /allowed//it HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + key.JWT + "\r\n\r\n"); r.StatusCode != 400 {
		t.Errorf("an ambiguous path: %d", r.StatusCode)
	}
	if r := nginx.raw("GET /allowed/it HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n"); r.StatusCode != 431 {
		t.Errorf("too many fields: %d", r.StatusCode)
	}
	forged, err := http.NewRequestWithContext(t.Context(), "GET", nginx.url+"/other", nil)
	if err != nil {
		t.Fatal(err)
	}
	forged.Header = http.Header{"Authorization": {"Bearer " + key.JWT}, "X-Original-Uri": {"/allowed/it"}, "X-Forwarded-Uri": {"/allowed/it"}}
	if r := nginx.send(forged); r.StatusCode < 400 {
		t.Errorf("the client's word on its target counts: %d", r.StatusCode)
	}

	seen := behind.requests()
	if len(seen) != 2 || seen[0].RequestURI != "/allowed/it?a=%zz" || seen[1].ContentLength != 36 {
		t.Errorf("the backend got %d requests", len(seen))
	}
	for _, r := range seen {
		if got := r.Header.Get("X-Api-Key-Hash"); got != storage.KeyHash(key.APIKey) {
			t.Errorf("X-Api-Key-Hash: %q", got)
		}
		if reason(r.Header) != "ok" {
			t.Errorf("X-Request-Id: %q", r.Header.Get("X-Request-Id"))
		}
	}
	if n := len(w.backend.requests()); n != 0 {
		t.Errorf("the gateway sent %d requests on", n)
	}
	if line := w.log.find("path", "/allowed/it"); line["client"] != "127.0.0.1" || line["method"] != "GET" {
		t.Errorf("the access log says %v", line)
	}
}
