//go:build unix

package systemtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

// TestRotationRecipe follows docs/rotation.md: it writes each configuration, restarts
// the gateway with it, and runs each command.
func TestRotationRecipe(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := content(t, filepath.Join(repository, "docs", "rotation.md"))
	dir, store, origin := t.TempDir(), redistest.Start(t), newBackend(t)
	t.Chdir(dir)
	if err := os.Symlink(self, "tykctl"); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("http://localhost:3000", origin.URL, "localhost:6379", store.Addr, "THE-OLD-SECRET", testSecret)
	sh := func(script string, code int) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Fatalf("exit code %d, want %d\n%s\n%s", got, code, script, out)
		}
		return string(out)
	}

	var gateway *world
	var old, renewed desk.Issued
	stage := 0
	for _, block := range regexp.MustCompile("(?ms)^```(json|sh)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		kind, body := block[1], here.Replace(block[2])
		if kind == "sh" {
			code := cli.ExitOK
			if strings.Contains(body, "$OLD_JWT") {
				code, body = cli.ExitNotFound, strings.ReplaceAll(body, "$OLD_JWT", old.JWT)
			}
			out := sh(body, code)
			if code == cli.ExitNotFound && !strings.Contains(out, "401 invalid_token") {
				t.Errorf("the old token:\n%s", out)
			}
			continue
		}
		if err := os.WriteFile("config.json", []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if gateway != nil {
			_ = gateway.end()
		}
		if gateway = gatewayFrom(t, "config.json", store, origin); stage == 0 {
			old = gateway.token(desk.Grant{})
		}
		want, code := 200, ""
		if stage == 2 {
			renewed = tokenOf(t, "new-tokens.jsonl", old.APIKey)
			gateway.want(gateway.get("/api/v1/test", renewed.JWT), 200, "")
			want, code = 401, "invalid_token"
		}
		gateway.want(gateway.get("/api/v1/test", old.JWT), want, code)
		stage++
	}
	if stage != 3 || renewed.JWT == "" {
		t.Errorf("%d configurations, and the token %q", stage, renewed.JWT)
	}
}

// gatewayFrom runs a gateway with a configuration file, on ports of its own.
func gatewayFrom(t *testing.T, file string, store *redistest.Server, origin *backend) *world {
	t.Helper()
	cfg, err := config.Load(config.Source{File: file, Require: app.Required})
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]string{"application.token.jwt_secret": cfg.Application.Token.JWTSecret.Reveal(), "application.target_host": origin.URL}
	if len(cfg.Application.Token.Keys) > 0 {
		options["application.token.keys"] = `[{"kid":"es256-2026","algorithm":"ES256","file":"` + cfg.Application.Token.Keys[0].File + `"}]`
	}
	return startWith(t, store, options)
}

// tokenOf is the token of a key in a file with an object a line.
func tokenOf(t *testing.T, file, apiKey string) desk.Issued {
	t.Helper()
	for scan := bufio.NewScanner(strings.NewReader(content(t, file))); scan.Scan(); {
		var made desk.Issued
		if err := json.Unmarshal(scan.Bytes(), &made); err != nil {
			t.Fatal(err)
		}
		if made.APIKey == apiKey {
			return made
		}
	}
	t.Fatalf("%s has no token for the old key", file)
	return desk.Issued{}
}
