package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
)

// scriptSecret signs in the scripts, as $SECRET.
const scriptSecret = "a secret of the tests, of forty-some bytes!!"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tykctl": func() { os.Exit(Main()) }})
}

// TestScripts runs the scripts that specify the commands: what is typed, what is
// printed where, and the exit code. `exits N command…` runs a command that must
// end with N; `redis [ARG…]` starts a real Redis at $REDIS, and `redis-tls` one
// that speaks TLS there, with the certificate $CERT and a user of its own;
// `redis-do COMMAND ARG…` sends it a command, as another program would. `field VAR
// name` puts a member of the JSON object that was printed last into $VAR, and
// `hash VAR api_key` the hash by which the log names a key.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SECRET", scriptSecret)
			env.Setenv("TZ", "UTC")
			env.Setenv("LONG", strings.Repeat("x", storage.MaxLabel+1))
			env.Setenv("NOWHERE", redistest.Nowhere(t))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"redis": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("REDIS", redistest.Start(t, args...).Addr)
			},
			"redis-tls": func(ts *testscript.TestScript, _ bool, _ []string) {
				cert, key := certtest.SelfSigned(t)
				addr := redistest.Nowhere(t)
				_, port, _ := net.SplitHostPort(addr)
				redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
					"--tls-auth-clients", "no", "--user", "gateway", "on", ">tls-password-canary", "~*", "+@all", "--user", "default", "off")
				ts.Setenv("REDIS", addr)
				ts.Setenv("CERT", cert)
			},
			"exits": exits,
			"field": field,
			"hash": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: hash VAR API_KEY")
				}
				ts.Setenv(args[0], storage.KeyHash(args[1]))
			},
			"redis-do": redisDo,
		},
	})
}

// redisDo sends a command to the Redis at $REDIS.
func redisDo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: redis-do COMMAND [ARG…]")
	}
	client := redis.NewClient(&redis.Options{Addr: ts.Getenv("REDIS")})
	defer func() { _ = client.Close() }()
	words := make([]any, len(args))
	for i, arg := range args {
		words[i] = arg
	}
	answer, err := client.Do(context.Background(), words...).Result()
	if err != nil {
		ts.Fatalf("%v: %v", args, err)
	}
	ts.Logf("%v", answer)
}

// exits checks a command's exit code: exits 2 tykctl nonsense.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = exitText(err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// field keeps what was printed for later: field KEY api_key.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field VAR NAME")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	ts.Setenv(args[0], fmt.Sprint(object[args[1]]))
}

func exitText(err error) string {
	// os/exec says "exit status 2"; signals and failures to start say something else.
	text := err.Error()
	return text[len(text)-1:]
}
