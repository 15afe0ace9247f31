package systemtest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
)

// The access log and the metric tell the backend's own failures from the gateway's.
func TestUpstreamError(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.backend.answer(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	r := w.get("/api/v1/test", key.JWT)
	w.want(r, 503, "")
	line := w.log.find("request_id", r.Header.Get("X-Request-Id"))
	if line["reason"] != "upstream_error" || line["status"] != 503.0 || line["level"] != "warn" {
		t.Errorf("log: %v", line)
	}
	if n := w.metric(`tykctl_requests_total{code="503",reason="upstream_error"}`); n != "1" {
		t.Errorf("counted: %q", n)
	}
}

// What a client says is in the access log by either way to the backend, and as much of
// it as was read if it is refused.
func TestAccessLogOfWhatAClientSays(t *testing.T) {
	w := start(t, map[string]string{"application.max_body": "100000", "application.trusted_proxies": "127.0.0.1"})
	key := w.token(desk.Grant{})
	w.backend.answer(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for name, tt := range map[string]struct {
		change func(*http.Request)
		size   int
		in     float64
		host   string
	}{
		"no body":   {size: 0},
		"short":     {size: 500, in: 500},
		"long":      {size: 50_000, in: 50_000},
		"chunked":   {change: func(r *http.Request) { r.ContentLength = -1 }, size: 50_000, in: 50_000},
		"not plain": {change: func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, size: 50_000, in: 50_000},
		"refused":   {change: func(r *http.Request) { r.Header.Del("Authorization") }, size: 500},
		"too large": {size: 100_001},
		"other names": {change: func(r *http.Request) {
			r.Host = "api.example.com"
			r.Header.Set("User-Agent", "a\t"+strings.Repeat("b", 300))
		}, host: "api.example.com"},
		"by a proxy": {change: func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "shop.example.com") }, host: "shop.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/v1/test", io.NopCloser(strings.NewReader(strings.Repeat("x", tt.size))))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = int64(tt.size)
			req.Header.Set("Authorization", "Bearer "+key.JWT)
			req.Header.Set("User-Agent", "test/1")
			if tt.change != nil {
				tt.change(req)
			}
			agent, host := "test/1", tt.host
			if strings.HasPrefix(req.UserAgent(), "a") {
				agent = `a\t` + strings.Repeat("b", 254) + "…"
			}
			if host == "" {
				host = req.URL.Host
			}
			r := w.send(req)
			line := w.log.find("request_id", r.Header.Get("X-Request-Id"))
			if line["bytes_in"] != tt.in || line["host"] != host || line["proto"] != "HTTP/1.1" || line["user_agent"] != agent {
				t.Errorf("%d: %v", r.StatusCode, line)
			}
		})
	}
}
