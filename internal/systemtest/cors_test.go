package systemtest

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
)

const appOrigin = "https://app.example.com"

// browser sends what a browser would for a page of this origin.
func (w *world) browser(method, path, origin, jwt string, header ...string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return w.send(req)
}

// wantShared checks that a page of the origin may read an answer and the gateway's own
// fields, or that it may not, and that no cache mixes the two up.
func (w *world) wantShared(r reply, status int, origin string) {
	w.t.Helper()
	if r.StatusCode != status {
		w.t.Errorf("%d, want %d: %s", r.StatusCode, status, r.body)
	}
	allowed := r.Header.Values("Access-Control-Allow-Origin")
	if origin == "" && allowed != nil || origin != "" && (len(allowed) != 1 || allowed[0] != origin) {
		w.t.Errorf("%d: Access-Control-Allow-Origin %q, want %q alone", status, allowed, origin)
	}
	if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
		w.t.Errorf("%d: Vary %q", status, r.Header.Values("Vary"))
	}
	exposed := r.Header.Get("Access-Control-Expose-Headers")
	for _, name := range []string{"RateLimit", "RateLimit-Policy", "X-RateLimit-Remaining", "Retry-After", "X-Request-Id", "ETag"} {
		if got := strings.Contains(", "+exposed+",", ", "+name+","); got != (origin != "") {
			w.t.Errorf("%d: %q exposes %s: %t", status, exposed, name, got)
		}
	}
}

var withCORS = map[string]string{
	"application.cors.origins": appOrigin + ",http://localhost:3000",
	"application.cors.expose":  "ETag",
}

func TestPreflightIsAnsweredHere(t *testing.T) {
	w := start(t, withCORS)
	asking := []string{"Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization"}
	for _, token := range []string{"", "not a token", w.token(desk.Grant{}).JWT} {
		r := w.browser("OPTIONS", "/api/v1/test", appOrigin, token, asking...)
		w.wantShared(r, 204, appOrigin)
		for name, want := range map[string]string{
			"Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
			"Access-Control-Allow-Headers": "Authorization, Content-Type",
			"Access-Control-Max-Age":       "600",
			"RateLimit":                    "", "Www-Authenticate": "", "Content-Type": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		line := w.log.find("request_id", r.Header.Get("X-Request-Id"))
		if line["status"] != 204.0 || line["reason"] != "ok" || line["method"] != "OPTIONS" || line["key"] != nil {
			t.Errorf("the log says %v", line)
		}
	}
	r := w.browser("OPTIONS", "/api/v1/test", "https://evil.example", "", asking...)
	w.wantShared(r, 204, "")
	if r.Header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("another origin is told %v", r.Header)
	}
	w.wantShared(w.browser("OPTIONS", "/a//b", appOrigin, "", asking...), 400, appOrigin)

	if n := len(w.backend.requests()); n != 0 {
		t.Errorf("%d requests reached the backend", n)
	}
	if keys := w.client.Keys(t.Context(), "rate_*").Val(); len(keys) != 0 {
		t.Errorf("permits were taken: %v", keys)
	}
	// Without the mark of a preflight it is a request like any other.
	w.wantShared(w.browser("OPTIONS", "/api/v1/test", appOrigin, ""), 401, appOrigin)
	w.wantShared(w.browser("OPTIONS", "/api/v1/test", appOrigin, w.token(desk.Grant{}).JWT), 200, appOrigin)
}

// Whatever becomes of a request, the page that made it may know.
func TestEveryAnswerIsShared(t *testing.T) {
	w := start(t, withCORS)
	w.backend.answer(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h["Vary"] = []string{"Accept-Encoding"}
		h["Access-Control-Allow-Origin"] = []string{"*"}
		h["Access-Control-Allow-Credentials"] = []string{"true"}
		h["Access-Control-Expose-Headers"] = []string{"X-Own"}
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	})
	key := w.token(desk.Grant{Limit: 6, Window: forever, Routes: []string{"/a", "/cut"}})
	for range 2 {
		w.wantShared(w.browser("GET", "/a", appOrigin, key.JWT), 200, appOrigin)
		r := w.browser("GET", "/a", "http://localhost:3000", key.JWT, "Expect", "100-continue") // the other way to the backend
		w.wantShared(r, 200, "http://localhost:3000")
		if vary := strings.Join(r.Header.Values("Vary"), ", "); vary != "Accept-Encoding, Origin" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("Vary %q, %v", vary, r.Header)
		}
	}
	w.wantShared(w.browser("GET", "/a", "https://evil.example", key.JWT), 200, "")
	w.wantShared(w.browser("GET", "/cut", appOrigin, key.JWT), 502, appOrigin)
	r := w.browser("GET", "/a", appOrigin, key.JWT)
	w.wantShared(r, 429, appOrigin)
	if r.Header.Get("Retry-After") == "" || r.Header.Get("RateLimit") == "" {
		t.Errorf("%v", r.Header)
	}
	w.wantShared(w.browser("GET", "/a", "", key.JWT), 429, "")
	w.wantShared(w.browser("GET", "/other", appOrigin, key.JWT), 403, appOrigin)
	w.wantShared(w.browser("GET", "/a", appOrigin, "x.y.z"), 401, appOrigin)
	w.wantShared(w.browser("GET", "/a/../b", appOrigin, ""), 400, appOrigin)
	w.wantShared(w.browser("TRACE", "/a", appOrigin, ""), 405, appOrigin)
	w.wantShared(w.browser("GET", "/a?"+strings.Repeat("q", 9000), appOrigin, ""), 414, appOrigin)
	w.wantShared(w.browser("GET", "/a", appOrigin, "", "X-Large", strings.Repeat("x", 40_000)), 431, appOrigin)
	w.wantShared(w.browser("GET", "/a", appOrigin, "", "Origin", appOrigin), 401, "") // two origins are none

	another := w.token(desk.Grant{})
	w.redis.Stop()
	w.wantShared(w.browser("GET", "/api/v1/test", appOrigin, another.JWT), 503, appOrigin)
	w.wantShared(w.browser("OPTIONS", "/a", appOrigin, "", "Access-Control-Request-Method", "GET"), 204, appOrigin)
}

// A browser sends a percent sign as the page wrote it, and as many cookies as there are:
// also of what is refused before the gateway sees it, the page may know why.
func TestWhatTheServerRefusesIsShared(t *testing.T) {
	w := start(t, withCORS)
	for _, tt := range []struct {
		path, header string
		status       int
	}{
		{"/100%", "", 400},
		{"/a", "Cookie: " + strings.Repeat("c", 70_000) + "\r\n", 431},
	} {
		for _, origin := range []string{appOrigin, ""} {
			field := ""
			if origin != "" {
				field = "Origin: " + origin + "\r\n"
			}
			r := w.raw("GET " + tt.path + " HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: test/1\r\n" + field + tt.header + "\r\n")
			w.wantShared(r, tt.status, origin)
			line := w.log.find("request_id", r.Header.Get("X-Request-Id"))
			if line["host"] != "shop.example.com" || line["proto"] != "HTTP/1.1" || line["user_agent"] != "test/1" || line["path"] != tt.path {
				t.Errorf("the log says %v", line)
			}
		}
	}
}

// Off, the fields are the backend's business.
func TestWithoutCORSTheBackendDecides(t *testing.T) {
	w := start(t, nil)
	w.backend.answer(func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Access-Control-Allow-Origin", "*") })
	r := w.browser("GET", "/api/v1/test", appOrigin, w.token(desk.Grant{}).JWT)
	if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Vary") != "" {
		t.Errorf("%v", r.Header)
	}
	if r := w.browser("OPTIONS", "/api/v1/test", appOrigin, "", "Access-Control-Request-Method", "GET"); r.StatusCode != 401 {
		t.Errorf("a preflight: %d", r.StatusCode)
	}
}

// A proxy that asks on behalf of a browser gets the same answers. There any 2xx means
// that the request may pass, so another origin's preflight is a request without a token.
func TestPreflightAtAuth(t *testing.T) {
	options := map[string]string{"application.forward_auth": "true", "application.trusted_proxies": "127.0.0.1"}
	maps.Copy(options, withCORS)
	w := start(t, options)
	original := []string{"X-Original-Method", "OPTIONS", "X-Original-Uri", "/api/v1/test"}
	asking := append(original, "Access-Control-Request-Method", "PUT")
	r := w.browser("GET", "/auth", appOrigin, "", asking...)
	w.wantShared(r, 204, appOrigin)
	if r.Header.Get("Access-Control-Allow-Headers") == "" || r.Header.Get("X-Api-Key-Hash") != "" {
		t.Errorf("%v", r.Header)
	}
	w.wantShared(w.browser("GET", "/auth", "https://evil.example", "", asking...), 401, "")
	w.wantShared(w.browser("GET", "/auth", appOrigin, "", original...), 401, appOrigin)
	w.wantShared(w.browser("GET", "/auth", appOrigin, w.token(desk.Grant{}).JWT, "X-Original-Method", "GET", "X-Original-Uri", "/api/v1/test"), 200, appOrigin)
	if len(w.backend.requests()) != 0 {
		t.Error("the gateway asked the backend")
	}
}

func TestCORSFaults(t *testing.T) {
	for _, tt := range []struct{ key, value, fault string }{
		{"origins", "null", `application.cors.origins (flag): element 1 must be an origin such as https://app.example.com, or *, not "null": null cannot be allowed`},
		{"origins", appOrigin + ",https://app.example.com/", "element 2 must be an origin such as https://app.example.com, or *, not \"https://app.example.com/\": browsers send it without the trailing slash: https://app.example.com"},
		{"origins", "*", "application.cors.origins (flag): * cannot be combined with credentials"},
		{"methods", "get", `application.cors.methods (flag): element 1 must be a method in upper case`},
		{"methods", "*", "application.cors.methods (flag): * cannot be combined with credentials"},
		{"headers", "X y", "application.cors.headers (flag): element 1 must be the name of a header field"},
		{"max_age", "48h", "application.cors.max_age (flag): must be a duration"},
	} {
		flags := map[string]string{"application.cors.origins": appOrigin, "application.cors.credentials": "true"}
		flags["application.cors."+tt.key] = tt.value
		_, err := config.Load(config.Source{NoFile: true, Flags: flags})
		if err == nil || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s=%s: %v", tt.key, tt.value, err)
		}
	}
}

// Over HTTP/2, and so through the other server.
func TestCORSOverTLS(t *testing.T) {
	ca := certtest.New(t)
	w, _, _ := startTLS(t, ca, withCORS)
	client := clientOf(t, ca)
	for method, status := range map[string]int{"OPTIONS": 204, "GET": 401} {
		req, err := http.NewRequestWithContext(t.Context(), method, w.url+"/api/v1/test", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Origin": {appOrigin}, "Access-Control-Request-Method": {"PUT"}}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r := w.readReply(res)
		w.wantShared(r, status, appOrigin)
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
	}
}
