package systemtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/gateway"
	"github.com/tykctl/tykctl/internal/term"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// ran is what a command left behind.
type ran struct {
	out, err string
	code     int
}

// tool runs a command with the world's Redis and secret.
func (w *world) tool(args ...string) ran {
	w.t.Helper()
	var out, errs bytes.Buffer
	a := &cli.Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return nil }}
	code := a.Run(w.t.Context(), append(args, "--redis", w.redis.Addr))
	return ran{out.String(), errs.String(), code}
}

// inspect asks for the verdict on a request.
func (w *world) inspect(token string, args ...string) (desk.Inspection, ran) {
	w.t.Helper()
	r := w.tool(append([]string{"token", "inspect", token, "--secret", testSecret, "-o", "json"}, args...)...)
	var i desk.Inspection
	if err := json.Unmarshal([]byte(r.out), &i); err != nil {
		w.t.Fatalf("%v: exit %d: %s%s", err, r.code, r.out, r.err)
	}
	return i, r
}

// signed is a JWT of ours, whatever it says.
func signed(t *testing.T, claims string) string {
	t.Helper()
	var m jwt.MapClaims
	if err := json.Unmarshal([]byte(claims), &m); err != nil {
		t.Fatal(err)
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, m).SignedString([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// failing is the stage that refused, with its reason.
func failing(v gateway.Verdict) (stage gateway.Stage, detail string) {
	i := slices.IndexFunc(v.Stages, func(s gateway.Trial) bool { return s.OK != nil && !*s.OK })
	if i < 0 {
		return "", ""
	}
	return v.Stages[i].Stage, v.Stages[i].Detail
}

// TestInspectSaysWhatTheGatewayDoes sends each request to a running gateway, and
// then has it explained by inspect alone.
func TestInspectSaysWhatTheGatewayDoes(t *testing.T) {
	w := start(t, nil)
	hour := time.Now().Add(time.Hour).Unix()
	good := w.token(desk.Grant{Routes: []string{"/a", "GET /users/*"}, Limit: 1000})
	spent := w.token(desk.Grant{Routes: []string{"/a"}, Limit: 1})
	w.want(w.get("/a", spent.JWT), 200, "")
	record := func(text string, args ...any) string {
		made := w.token(desk.Grant{Routes: []string{"/a"}})
		w.record(made.APIKey, fmt.Sprintf(text, args...))
		return made.JWT
	}
	revoked := w.token(desk.Grant{})
	if r := w.tool("token", "revoke", revoked.APIKey); r.code != cli.ExitOK {
		t.Fatal(r)
	}
	body := func(token string) string { return strings.Join(strings.Split(token, ".")[:2], ".") }

	for _, tt := range []struct {
		name, token, method, path string
		status                    int
		code                      string // of the answer; "ok" is none
		stage                     gateway.Stage
		detail                    string
	}{
		{"let in", good.JWT, "GET", "/a?x=1", 200, "ok", "", ""},
		{"let in by a pattern", good.JWT, "GET", "/users/7", 200, "ok", "", ""},
		{"a dot segment", good.JWT, "GET", "/a/../b", 400, "bad_request", "request", "the path contains a dot segment"},
		{"an encoded slash", good.JWT, "GET", "/users/7%2f8", 400, "bad_request", "request", "encoded dot, slash"},
		{"a method of no use", good.JWT, "TRACE", "/a", 405, "bad_request", "request", "TRACE"},
		{"too long", good.JWT, "GET", "/" + strings.Repeat("a", 8<<10), 414, "too_large", "request", "8192"},
		{"forged", body(good.JWT) + "." + strings.Repeat("A", 43), "GET", "/a", 401, "invalid_token", "signature", "signature does not match"},
		{"unsigned", body(good.JWT) + ".", "GET", "/a", 401, "invalid_token", "signature", "signature has the wrong length"},
		{"another algorithm", "eyJhbGciOiJub25lIn0." + strings.Split(good.JWT, ".")[1] + ".", "GET", "/a", 401, "invalid_token", "signature", `"alg"`},
		{"signed without an end", signed(t, `{"api_key":"`+good.APIKey+`"}`), "GET", "/a", 401, "invalid_token", "claims", `"exp" is missing`},
		{"not yet", signed(t, fmt.Sprintf(`{"api_key":%q,"exp":%d,"nbf":%d}`, good.APIKey, hour, hour)), "GET", "/a", 401, "invalid_token", "claims", `"nbf" is in the future`},
		{"expired", signed(t, `{"api_key":"`+good.APIKey+`","exp":1700000000}`), "GET", "/a", 401, "expired_token", "claims", "since 2023-11-14T22:13:20Z"},
		{"revoked", revoked.JWT, "GET", "/a", 401, "unknown_token", "record", "no record of this key"},
		{"the record is over", record(`{"rate_limit":5,"allowed_routes":["/a"],"exp":1700000000}`), "GET", "/a", 401, "expired_token", "record", "since 2023-11-14T22:13:20Z"},
		{"the record cannot be read", record(`{"rate_limit":"many"}`), "GET", "/a", 503, "store_unavailable", "record", "unreadable"},
		{"the record is not JSON", record(`limit=5`), "GET", "/a", 503, "store_unavailable", "record", "unreadable"},
		{"another path", good.JWT, "GET", "/b", 403, "route_forbidden", "route", "GET /b matches none of the key's routes: /a, GET /users/*"},
		{"another method", good.JWT, "DELETE", "/users/7", 403, "route_forbidden", "route", "DELETE /users/7 matches none of the key's routes: /a, GET /users/*"},
		{"no routes", record(`{"rate_limit":5}`), "GET", "/a", 403, "route_forbidden", "route", "the key allows no route"},
		{"the limit is spent", spent.JWT, "GET", "/a", 429, "rate_limited", "limit", "0 of 1 permits left"},
		{"suspended", record(`{"rate_limit":0,"allowed_routes":["/a"]}`), "GET", "/a", 429, "rate_limited", "limit", "limit is 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			answer := w.raw(tt.method + " " + tt.path + " HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + tt.token + "\r\n\r\n")
			i, r := w.inspect(tt.token, "--method", tt.method, "--path", tt.path)
			code := answer.code()
			if code == "" {
				code = "ok"
			}
			if answer.StatusCode != tt.status || code != tt.code {
				t.Errorf("the gateway said %d %s", answer.StatusCode, code)
			}
			v := i.Verdict
			if v.Status != answer.StatusCode || string(v.Code) != code {
				t.Errorf("inspect said %d %s, the gateway %d %s", v.Status, v.Code, answer.StatusCode, code)
			}
			if stage, detail := failing(v); stage != tt.stage || !strings.Contains(detail, tt.detail) {
				t.Errorf("stage %q: %q, want %q: %q", stage, detail, tt.stage, tt.detail)
			}
			if want := map[bool]int{true: cli.ExitOK, false: cli.ExitNotFound}[tt.code == "ok"]; r.code != want || v.Allowed != (want == cli.ExitOK) {
				t.Errorf("exit %d, allowed %t: %s", r.code, v.Allowed, r.err)
			}
		})
	}
	w.t = t
}

func TestInspectTakesNothing(t *testing.T) {
	w := start(t, nil)
	made := w.token(desk.Grant{Routes: []string{"/a"}, Limit: 2})
	for range 5 {
		if i, r := w.inspect(made.JWT, "--path", "/a"); !i.Verdict.Allowed || i.Usage.Remaining != 2 || i.Usage.Refused != 0 {
			t.Fatalf("%+v, exit %d", i.Usage, r.code)
		}
	}
	if used := w.used(made.APIKey); used != 0 {
		t.Errorf("%d permits are gone", used)
	}
}

func TestInspectWithoutAPathJudgesTheTokenAlone(t *testing.T) {
	w := start(t, nil)
	good := w.token(desk.Grant{Routes: []string{"/a"}, Limit: 1})
	w.want(w.get("/a", good.JWT), 200, "")
	i, r := w.inspect(good.JWT) // a spent limit is no fault of the token
	if r.code != cli.ExitOK || !i.Verdict.Allowed || i.Usage.Remaining != 0 {
		t.Errorf("exit %d, %+v", r.code, i.Verdict)
	}
	for name, token := range map[string]string{
		"expired": signed(t, `{"api_key":"`+good.APIKey+`","exp":1}`),
		"forged":  good.JWT[:len(good.JWT)-43] + strings.Repeat("A", 43),
		"no key":  signed(t, `{"exp":1}`),
		"unknown": jwtauth.NewAPIKey(),
	} {
		if i, r := w.inspect(token); r.code != cli.ExitNotFound || i.Verdict.Allowed || i.Verdict.Status != 401 {
			t.Errorf("%s: exit %d, %+v", name, r.code, i.Verdict)
		}
	}
}

// What a key's API key alone tells, and what it cannot.
func TestInspectAnAPIKey(t *testing.T) {
	w := start(t, nil)
	made := w.token(desk.Grant{Routes: []string{"/a"}, Limit: 3})
	w.want(w.get("/a", made.JWT), 200, "")
	i, r := w.inspect(made.APIKey, "--path", "/a")
	if r.code != cli.ExitOK || i.Signature != "unchecked" || string(i.Header) != "null" || i.Usage.Used != 1 {
		t.Errorf("exit %d, %+v", r.code, i)
	}
	for _, s := range i.Verdict.Stages {
		unchecked := s.Stage == gateway.StageBearer || s.Stage == gateway.StageSignature || s.Stage == gateway.StageClaims
		if (s.OK == nil) != unchecked {
			t.Errorf("%+v", s)
		}
	}
}

func TestInspectWithoutRedis(t *testing.T) {
	w := start(t, nil)
	good := w.token(desk.Grant{Routes: []string{"/a"}})
	expired := signed(t, `{"api_key":"`+good.APIKey+`","exp":1}`)
	w.redis.Stop()
	i, r := w.inspect(good.JWT, "--path", "/a")
	if r.code != cli.ExitNoRedis || i.Signature != "valid" || i.Usage != nil || string(i.Record) != "null" || i.Verdict.Code != "store_unavailable" {
		t.Errorf("exit %d, %+v", r.code, i)
	}
	if !strings.Contains(r.err, w.redis.Addr) {
		t.Errorf("the address is not named: %s", r.err)
	}
	if i, r := w.inspect(expired); r.code != cli.ExitNotFound || i.Verdict.Code != "expired_token" {
		t.Errorf("the token is refused whatever Redis says: exit %d, %+v", r.code, i.Verdict)
	}
	if r := w.tool("token", "inspect", good.APIKey); r.code != cli.ExitNoRedis || r.out != "" || !strings.Contains(r.err, w.redis.Addr) {
		t.Errorf("there is nothing to show of a key: %+v", r)
	}
}

func TestInspectWithoutASecret(t *testing.T) {
	w := start(t, nil)
	good := w.token(desk.Grant{Routes: []string{"/a"}})
	for token, want := range map[string]int{
		good.JWT: cli.ExitOK,
		signed(t, `{"api_key":"`+good.APIKey+`","exp":1}`): cli.ExitNotFound, // the claims alone refuse it
	} {
		r := w.tool("token", "inspect", token, "--path", "/a", "-o", "json")
		var i desk.Inspection
		if err := json.Unmarshal([]byte(r.out), &i); err != nil || r.code != want || i.Signature != "unchecked" {
			t.Errorf("exit %d, want %d: %v, %s", r.code, want, err, r.out)
		}
	}
}

// What others wrote must not reach a terminal as it is.
func TestNothingWrittenByOthersControlsATerminal(t *testing.T) {
	w := start(t, nil)
	made := w.token(desk.Grant{})
	w.record(made.APIKey, `{"rate_limit":5,"allowed_routes":["/\u001b[2J"],"label":"\u009b31m\u202e","x\u0007":"`+"\u009b"+`"}`)
	jwt := signed(t, `{"api_key":"`+made.APIKey+`","exp":9999999999,"sub":"\u001b]0;x\u0007"}`)
	for _, args := range [][]string{
		{"token", "inspect", jwt, "--secret", testSecret, "--path", "/a"},
		{"token", "inspect", jwt, "--secret", testSecret, "--path", "/a", "-o", "json"},
		{"token", "list"},
		{"token", "list", "-o", "json"},
		{"token", "update", made.APIKey, "--limit", "7"},
		{"token", "gen", "--secret", testSecret, "--api-key", made.APIKey},
	} {
		r := w.tool(args...)
		text := strings.ReplaceAll(r.out+r.err, "\n", "")
		if r.out == "" || strings.ContainsFunc(text, term.Hidden) {
			t.Errorf("%v: %q, %q", args, r.out, r.err)
		}
	}
}
