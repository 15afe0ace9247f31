package cors

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const app = "https://app.example.com"

func TestCheckOrigin(t *testing.T) {
	for _, origin := range []string{
		"*", app, "http://localhost:3000", "https://app.example.com:8443", "http://127.0.0.1:80" + "80", "http://[::1]:5173", "https://xn--bcher-kva.example",
		"capacitor://localhost", "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", "https://a_b.example",
	} {
		if err := CheckOrigin(origin); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for origin, why := range map[string]string{
		"":                              "scheme and a host",
		"null":                          "cannot be allowed",
		"app.example.com":               "scheme and a host",
		"https://":                      "scheme and a host",
		"//app.example.com":             "scheme and a host",
		"mailto:a@example.com":          "scheme and a host",
		"https://exa mple.com":          "scheme and a host",
		"https://app.example.com/":      "without the trailing slash: https://app.example.com",
		"https://app.example.com/a":     "nothing may follow",
		"https://app.example.com?a":     "nothing may follow",
		"https://app.example.com?":      "nothing may follow",
		"https://app.example.com#":      "nothing may follow",
		"https://App.example.com":       "in lower case: https://app.example.com",
		"HTTPS://app.example.com":       "in lower case: https://app.example.com",
		"https://*.example.com":         "must stand alone",
		"https://u:p@app.example.com":   "not contain a user name",
		"https://app.example.com:443":   "default port: https://app.example.com",
		"http://app.example.com:80":     "default port: http://app.example.com",
		"http://[::1]:80":               "default port: http://[::1]",
		"https://app.example.com:08443": "must be an ASCII name",
		"https://app.example.com:":      "must be an ASCII name",
		"https://app.example.com:99999": "must be an ASCII name",
		"https://bücher.example":        "must be an ASCII name",
		"https://[0:0:0:0:0:0:0:1]":     "must be an ASCII name",
		"https://app%2eexample.com":     "",
		"https://app.example.com\x00":   "",
	} {
		if err := CheckOrigin(origin); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want it to say %q", origin, err, why)
		}
	}
}

func TestFaultyOptions(t *testing.T) {
	for _, tt := range []struct {
		options Options
		fault   string
	}{
		{Options{Origins: []string{app, "null"}}, `origins: "null" is not an origin: `},
		{Options{Origins: []string{"*"}, Credentials: true}, "origins: * cannot be combined with credentials"},
		{Options{Origins: []string{app}, Methods: []string{"*"}, Credentials: true}, "methods: * cannot be combined"},
		{Options{Origins: []string{app}, Headers: []string{"*"}, Credentials: true}, "headers: * cannot be combined"},
		{Options{Origins: []string{app}, Expose: []string{"*"}, Credentials: true}, "expose: * cannot be combined"},
		{Options{Origins: []string{app}, Headers: []string{"X: y"}}, `headers: "X: y" is not a valid name`},
		{Options{Origins: []string{app}, Methods: []string{"GET POST"}}, `methods: "GET POST" is not a valid name`},
	} {
		if p, err := New(tt.options); p != nil || err == nil || !strings.HasPrefix(err.Error(), tt.fault) {
			t.Errorf("%+v: %v, want %s…", tt.options, err, tt.fault)
		}
	}
	if p, err := New(Options{Credentials: true, Methods: []string{"*"}}); p != nil || err != nil || p.Allows(app) {
		t.Errorf("off: %v, %v", p, err)
	}
}

func TestPolicy(t *testing.T) {
	exact := Options{Origins: []string{app, "http://localhost:3000"}, Methods: []string{"GET", "PUT"}, Headers: []string{"Authorization"}, Expose: []string{"ETag"}, MaxAge: 10 * time.Minute}
	private := exact
	private.Credentials = true
	open := Options{Origins: []string{"*"}, Methods: []string{"*"}, Headers: []string{"*"}}
	both := Options{Origins: []string{app, "*"}, Headers: []string{"*", "authorization"}}
	const id = "X-Request-Id"
	for _, tt := range []struct {
		name      string
		options   Options
		origin    string
		preflight bool
		backend   http.Header
		want      http.Header
	}{
		{"allowed", exact, app, false, nil, http.Header{
			"Access-Control-Allow-Origin": {app}, "Access-Control-Expose-Headers": {"ETag, X-Request-Id"}, "Vary": {"Origin"}}},
		{"the other one", exact, "http://localhost:3000", false, nil, http.Header{
			"Access-Control-Allow-Origin": {"http://localhost:3000"}, "Access-Control-Expose-Headers": {"ETag, X-Request-Id"}, "Vary": {"Origin"}}},
		{"with credentials", private, app, false, nil, http.Header{
			"Access-Control-Allow-Origin": {app}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"ETag, X-Request-Id"}, "Vary": {"Origin"}}},
		{"a preflight", exact, app, true, nil, http.Header{
			"Access-Control-Allow-Origin": {app}, "Access-Control-Expose-Headers": {"ETag, X-Request-Id"}, "Vary": {"Origin"},
			"Access-Control-Allow-Methods": {"GET, PUT"}, "Access-Control-Allow-Headers": {"Authorization"}, "Access-Control-Max-Age": {"600"}}},
		{"any", open, "null", true, nil, http.Header{
			"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {id}, "Vary": {"Origin"},
			"Access-Control-Allow-Methods": {"*"}, "Access-Control-Allow-Headers": {"*, Authorization"}, "Access-Control-Max-Age": {"0"}}},
		{"any beside one", both, app, true, nil, http.Header{
			"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {id}, "Vary": {"Origin"},
			"Access-Control-Allow-Headers": {"*, authorization"}, "Access-Control-Max-Age": {"0"}}},
		{"another", exact, "https://evil.example", false, nil, http.Header{"Vary": {"Origin"}}},
		{"another's preflight", exact, "https://evil.example", true, nil, http.Header{"Vary": {"Origin"}}},
		{"its beginning", exact, "https://app.example.com.evil.example", false, nil, http.Header{"Vary": {"Origin"}}},
		{"another case", exact, "https://APP.example.com", false, nil, http.Header{"Vary": {"Origin"}}},
		{"null", exact, "null", false, nil, http.Header{"Vary": {"Origin"}}},
		{"no browser", open, "", false, nil, http.Header{"Vary": {"Origin"}}},
		{"the backend's own policy goes", exact, "https://evil.example", false,
			http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}, "Etag": {"1"}},
			http.Header{"Vary": {"Origin"}, "Etag": {"1"}}},
		{"the backend's Vary stays", exact, app, false,
			http.Header{"Access-Control-Allow-Origin": {"https://other.example", "x"}, "Vary": {"Accept-Encoding"}, "Access-Control-Expose-Headers": {"X-Own"}},
			http.Header{"Access-Control-Allow-Origin": {app}, "Access-Control-Expose-Headers": {"ETag, X-Request-Id"}, "Vary": {"Accept-Encoding", "Origin"}}},
		{"the backend's Vary says it", exact, "", false, http.Header{"Vary": {"Accept, origin"}}, http.Header{"Vary": {"Accept, origin"}}},
		{"the backend's Vary says all", exact, "", false, http.Header{"Vary": {"*"}}, http.Header{"Vary": {"*"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(tt.options, id)
			if err != nil {
				t.Fatal(err)
			}
			h := tt.backend.Clone()
			if h == nil {
				h = http.Header{}
			}
			if tt.preflight {
				p.SetPreflight(h, tt.origin)
			} else {
				p.Set(h, tt.origin)
			}
			if diff := cmp.Diff(tt.want, h); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, allowed := h["Access-Control-Allow-Origin"]; allowed != p.Allows(tt.origin) {
				t.Errorf("Allows says %t", !allowed)
			}
		})
	}
}

// What requests share stays apart: one answer's Vary must not reach another.
func TestAnswersStayApart(t *testing.T) {
	p, _ := New(Options{Origins: []string{app}})
	first, second := http.Header{}, http.Header{}
	p.Set(first, app)
	p.Set(second, app)
	first.Add("Vary", "Accept")
	first.Add("Access-Control-Allow-Origin", "x")
	third := http.Header{}
	p.Set(third, app)
	if diff := cmp.Diff(second, third); diff != "" || len(second["Vary"]) != 1 {
		t.Error(second, third)
	}
}

func TestIsPreflight(t *testing.T) {
	whole := func(change func(http.Header)) http.Header {
		h := http.Header{"Origin": {app}, "Access-Control-Request-Method": {"PUT"}}
		change(h)
		return h
	}
	same := func(http.Header) {}
	for _, tt := range []struct {
		method string
		header http.Header
		want   bool
	}{
		{"OPTIONS", whole(same), true},
		{"OPTIONS", whole(func(h http.Header) { h.Set("Access-Control-Request-Headers", "authorization") }), true},
		{"OPTIONS", whole(func(h http.Header) { h.Set("Origin", "null") }), true},
		{"GET", whole(same), false},
		{"options", whole(same), false},
		{"OPTIONS", whole(func(h http.Header) { h.Del("Origin") }), false},
		{"OPTIONS", whole(func(h http.Header) { h.Add("Origin", app) }), false},
		{"OPTIONS", whole(func(h http.Header) { h.Del("Access-Control-Request-Method") }), false},
		{"OPTIONS", whole(func(h http.Header) { h.Add("Access-Control-Request-Method", "PUT") }), false},
	} {
		if got := IsPreflight(tt.method, tt.header); got != tt.want {
			t.Errorf("%s %v: %t", tt.method, tt.header, got)
		}
	}
}

func TestSetAllocatesNothing(t *testing.T) {
	p, _ := New(Options{Origins: []string{app}, Credentials: true}, "X-Request-Id")
	h := http.Header{"Content-Type": {"text/plain"}}
	p.Set(h, app)
	if n := testing.AllocsPerRun(100, func() { delete(h, "Vary"); p.Set(h, app) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
