package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
)

// command runs tykctl in the background until its context ends.
type command struct {
	out, err lines
	exit     chan int
	stop     context.CancelFunc
}

func run(t *testing.T, env []string, args ...string) *command {
	t.Helper()
	c := &command{exit: make(chan int, 1)}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	a := &cli.Program{In: strings.NewReader(""), Out: &c.out, Err: &c.err, Environ: func() []string { return env }, Now: time.Now, Name: "tykctl"}
	go func() { c.exit <- a.Run(ctx, args) }()
	return c
}

var freePorts = []string{"TYK_PROX_APPLICATION__PORT=0", "TYK_PROX_MONITORING__PORT=0"}

func TestDevWorksWhenPasted(t *testing.T) {
	// A configuration lies about, as in the repository; --dev must not read it.
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.json", []byte(`{"wrong":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := run(t, freePorts, "serve", "--dev", "--env")
	w := &world{t: t, log: &c.out}
	w.eventually("the curl line", func() bool { return c.out.count("\ncurl ") == 1 })

	line := regexp.MustCompile(`(?m)^curl .*$`).FindString(c.out.String())
	answer, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for _, want := range []string{"HTTP/1.1 200 OK\r\n", "RateLimit-Policy: \"default\";q=10;w=60\r\n", "\nHostname: ", "GET /api/v1/test HTTP/1.1\n", "X-Forwarded-For: 127.0.0.1"} {
		if !bytes.Contains(answer, []byte(want)) {
			t.Errorf("no %q in\n%s", want, answer)
		}
	}
	for _, said := range []string{"loopback only", "keeps nothing"} {
		if c.out.count(said) == 0 {
			t.Errorf("it does not say %q", said)
		}
	}

	c.stop()
	if code := <-c.exit; code != cli.ExitOK {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
}

// devFile is the configuration that a running serve --dev prints.
func devFile(t *testing.T, c *command) string {
	t.Helper()
	w := &world{t: t, log: &c.out}
	w.eventually("the curl line", func() bool { return c.out.count("\ncurl ") == 1 })
	found := regexp.MustCompile(`(?m)^  config   (\S+) \(removed at the end\)$`).FindStringSubmatch(c.out.String())
	if found == nil {
		t.Fatalf("no configuration in\n%s", c.out.String())
	}
	return found[1]
}

// TestDevServesEveryCommand runs every command that takes a configuration with the
// one that serve --dev prints.
func TestDevServesEveryCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	c := run(t, freePorts, "serve", "--dev", "--env")
	file := devFile(t, c)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want a file that only its owner can read", info, err)
	}
	if c.out.count("\ntykctl limits top --config "+file+"\n") != 1 {
		t.Errorf("no line to paste in\n%s", c.out.String())
	}
	with := func(args ...string) string { return printed(t, append(args, "--config", file)...) }

	var made desk.Issued
	if err := json.Unmarshal([]byte(with("token", "gen", "--label", "ACME", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	curl := regexp.MustCompile(`(?m)^  curl .*$`).FindString(with("token", "gen", "--api-key", made.APIKey))
	answer, err := exec.CommandContext(t.Context(), "sh", "-c", curl).Output()
	if err != nil || !bytes.Contains(answer, []byte("HTTP/1.1 200 OK\r\n")) {
		t.Errorf("%s: %v: %s", curl, err, answer)
	}
	for _, tt := range []struct{ args, want string }{
		{"config check", ": nothing is wrong\n"},
		{"config show", "application.token.jwt_secret"},
		{"doctor", "✓ backend"},
		{"health", "Ok\n"},
		{"health --ready", "Ok\n"},
		{"token inspect " + made.JWT + " --path /api/v1/test", "→ passes"},
		{"token list --label acme", made.APIKey},
		{"token update " + made.JWT + " --limit 5", "Record changed."},
		{"limits show " + storage.KeyHash(made.APIKey), "used:       1\n"},
		{"limits top", made.APIKey},
		{"limits reset " + made.JWT, "has all of its limit again"},
		{"token revoke " + made.JWT, "revoked   " + made.APIKey},
	} {
		if out := with(strings.Fields(tt.args)...); !strings.Contains(out, tt.want) {
			t.Errorf("%s: no %q in\n%s", tt.args, tt.want, out)
		}
	}

	c.stop()
	if code := <-c.exit; code != cli.ExitOK {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left behind: %v", err)
	}
}

// TestDevWithKeysAndTLS has what else commands need stand in the file.
func TestDevWithKeysAndTLS(t *testing.T) {
	cert, key := certtest.SelfSigned(t)
	t.Setenv("TMPDIR", t.TempDir())
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(testSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := `[{"kid":"a","algorithm":"HS512","secret":"` + testSecret + `","not_before":"2026-01-01T00:00:00Z","retire_at":"9000-01-01T00:00:00Z"},` +
		`{"kid":"b","algorithm":"HS256","file":"` + secret + `"}]`
	c := run(t, append([]string{
		"TYK_PROX_SERVER__TLS__CERT=" + cert, "TYK_PROX_SERVER__TLS__KEY=" + key, "TYK_PROX_APPLICATION__TOKEN__KEYS=" + keys,
		"TYK_PROX_APPLICATION__RATE_LIMIT__ALGORITHM=leaky_bucket", "TYK_PROX_APPLICATION__RATE_LIMIT__MAX_DELAY=2s",
	}, freePorts...), "serve", "--dev", "--env")
	file := devFile(t, c)
	if out := printed(t, "health", "--config", file); out != "Ok\n" {
		t.Errorf("health: %s", out)
	}
	for _, kid := range []string{"a", "b"} {
		var made desk.Issued
		if err := json.Unmarshal([]byte(printed(t, "token", "gen", "--kid", kid, "-o", "json", "--config", file)), &made); err != nil {
			t.Fatal(err)
		}
		if out := printed(t, "token", "inspect", made.JWT, "--config", file); !strings.Contains(out, "→ passes") || !strings.Contains(out, "delayed up to 2s") {
			t.Errorf("%s:\n%s", kid, out)
		}
	}
	c.stop()
	<-c.exit
}

func TestPublishedSecretListensOnLoopbackOnly(t *testing.T) {
	store := redistest.Start(t)
	env := append([]string{"TYK_PROX_REDIS__ADDR=" + store.Addr, "TYK_PROX_SERVER__DRAIN_DELAY=0s"}, freePorts...)
	c := run(t, env, "serve", "--config", filepath.Join(repository, "config.json"), "--env")
	w := &world{t: t, log: &c.err}
	w.eventually("serving", func() bool { return c.err.count("tykctl serves") == 1 })
	if c.err.count("THE SECRET IS THE PUBLISHED EXAMPLE") != 1 {
		t.Errorf("no warning:\n%s", c.err.String())
	}
	if c.err.count("127.0.0.1:") < 2 || c.err.count("0.0.0.0") != 0 || c.err.count("[::]") != 0 {
		t.Errorf("it listens elsewhere than on loopback:\n%s", c.err.String())
	}
	c.stop()
	if code := <-c.exit; code != cli.ExitOK {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
}

// TestNothingLeaks sends secrets and tokens every way that they can go wrong and
// looks for them in all that is put out.
func TestNothingLeaks(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		t.Run(format, func(t *testing.T) {
			w := start(t, map[string]string{"log.format": format, "redis.username": "nobody", "redis.password": "password-canary"})
			// There is no such user: every exchange fails.
			w.eventually("a fault", func() bool { return w.log.count("noauth") > 0 })
			jwt, err := w.in.Key.Sign(claimsFor("api-key-canary-1234"))
			if err != nil {
				t.Fatal(err)
			}
			w.get("/api/v1/test", jwt)
			w.get("/api/v1/test", jwt+"x")
			w.get("/api/v1/test?token="+jwt, "")
			w.raw("GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + jwt + ", " + jwt + "\r\n\r\n")
			w.raw("GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: " + jwt + "\r\n\r\n")
			w.eventually("five lines", func() bool { return w.log.count("request_id") == 5 })
			for name, canary := range map[string]string{
				"secret": testSecret, "password": "password-canary", "api_key": "api-key-canary-1234", "token": jwt[:40],
			} {
				if w.log.count(canary) != 0 {
					t.Errorf("the log shows the %s:\n%s", name, w.log.String())
				}
			}
		})
	}
}
