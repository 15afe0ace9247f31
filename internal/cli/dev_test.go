package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/redistest"
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
	a := &app{in: strings.NewReader(""), out: &c.out, err: &c.err, environ: func() []string { return env }, now: time.Now}
	go func() { c.exit <- a.run(ctx, args) }()
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

	// The Redis in the process is there for the other commands.
	redis := regexp.MustCompile(`--redis (\S+)\)`).FindStringSubmatch(c.out.String())[1]
	t.Chdir(t.TempDir())
	made := stdout(t, "token", "gen", "--redis", redis, "--secret", testSecret)
	if !strings.HasPrefix(made, "Token created successfully!\n") {
		t.Errorf("token gen: %s", made)
	}

	c.stop()
	if code := <-c.exit; code != exitOK {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
}

func TestPublishedSecretListensOnLoopbackOnly(t *testing.T) {
	store := redistest.Start(t)
	env := append([]string{"TYK_PROX_REDIS__ADDR=" + store.Addr, "TYK_PROX_SERVER__DRAIN_DELAY=0s"}, freePorts...)
	c := run(t, env, "serve", "--config", filepath.Join(root, "config.json"), "--env")
	w := &world{t: t, log: &c.err}
	w.eventually("serving", func() bool { return c.err.count("tykctl serves") == 1 })
	if c.err.count("THE SECRET IS THE PUBLISHED EXAMPLE") != 1 {
		t.Errorf("no warning:\n%s", c.err.String())
	}
	if c.err.count("127.0.0.1:") < 2 || c.err.count("0.0.0.0") != 0 || c.err.count("[::]") != 0 {
		t.Errorf("it listens elsewhere than on loopback:\n%s", c.err.String())
	}
	c.stop()
	if code := <-c.exit; code != exitOK {
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
			jwt, err := w.in.key.Sign(claimsFor("api-key-canary-1234"))
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
