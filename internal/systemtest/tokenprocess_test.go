//go:build unix

package systemtest

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/term"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// onFirstWrite has something happen once the first bytes are out.
type onFirstWrite struct {
	bytes.Buffer
	then func()
}

func (w *onFirstWrite) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if then := w.then; then != nil {
		w.then = nil
		then()
	}
	return n, err
}

// What was listed before Redis died stays, and cannot be taken for a whole list.
func TestRedisDiesInTheMiddleOfAList(t *testing.T) {
	for _, output := range []string{"text", "json"} {
		t.Run(output, func(t *testing.T) {
			store := redistest.Start(t)
			pipe := store.Client(t).Pipeline()
			for range 5000 {
				pipe.Set(t.Context(), "token:"+jwtauth.NewAPIKey(), `{"rate_limit":10,"allowed_routes":["/api/v1/test","/api/v1/test2"]}`, time.Hour)
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			out := &onFirstWrite{then: store.Stop}
			var errs strings.Builder
			a := &cli.Program{In: strings.NewReader(""), Out: out, Err: &errs, Environ: func() []string { return nil }}
			code := a.Run(t.Context(), []string{"token", "list", "-o", output, "--redis", store.Addr})
			n := strings.Count(out.String(), "/api/v1/test2")
			if code != cli.ExitNoRedis || n < 100 || n >= 5000 || !strings.Contains(errs.String(), store.Addr+": redis is unavailable") {
				t.Errorf("exit %d after %d keys: %s", code, n, errs.String())
			}
			if strings.Contains(out.String(), "\n]") {
				t.Error("the array was closed")
			}
		})
	}
}

// inspectOnTerminal shows a token on a terminal, whose line ends it leaves out.
func inspectOnTerminal(t *testing.T, columns uint16, env ...string) string {
	t.Helper()
	store := redistest.Start(t)
	cmd := program(t, "token", "inspect", watchedKey(t, store), "--path", "/a/path/of/some/length/that/is/not/allowed", "--redis", store.Addr)
	cmd.Env = append(cmd.Env, env...)
	s := onTerminal(t, columns, cmd)
	err := cmd.Wait()
	<-s.eof
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != cli.ExitNotFound {
		t.Errorf("ended by %v: %s", err, s.out.String())
	}
	return strings.ReplaceAll(s.out.String(), "\r\n", "\n")
}

func TestInspectOnATerminal(t *testing.T) {
	out := inspectOnTerminal(t, 40)
	if !strings.Contains(out, term.Red+"✗"+term.Plain+" route") || !strings.Contains(out, term.Green+"✓"+term.Plain+" record") {
		t.Errorf("not painted: %q", out)
	}
	out = inspectOnTerminal(t, 40, "NO_COLOR=1")
	if strings.Contains(out, "\x1b") {
		t.Errorf("painted: %q", out)
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 40 && !strings.HasPrefix(line, "tykctl: ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// A batch is as many keys as were asked for, each with a record of its own.
func TestGenMakesABatch(t *testing.T) {
	w := start(t, nil)
	r := w.tool("token", "gen", "--count", "20", "--secret", testSecret, "-o", "json")
	if n := strings.Count(r.out, "\n"); r.code != cli.ExitOK || n != 20 {
		t.Fatalf("%d lines: %+v", n, r)
	}
	if n := w.client.DBSize(t.Context()).Val(); n != 20 {
		t.Errorf("%d records", n)
	}
}

// Neither a tried-out key nor one that was made again touches Redis.
func TestGenThatWritesNothing(t *testing.T) {
	w := start(t, nil)
	if r := w.tool("token", "gen", "--dry-run", "--secret", testSecret); r.code != cli.ExitOK {
		t.Fatal(r)
	}
	if n := w.client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("a dry run wrote %d keys", n)
	}
	made := w.token(desk.Grant{Routes: []string{"/a"}})
	odd := fmt.Sprintf(`{"rate_limit":5.0,"allowed_routes":["/it's"],"x":[1],"api_key":%q}`, made.APIKey)
	w.record(made.APIKey, odd)
	r := w.tool("token", "gen", "--api-key", made.APIKey, "--secret", testSecret)
	if r.code != cli.ExitOK || !strings.Contains(r.out, `/it'\''s'`) { // fit for a shell
		t.Errorf("%+v", r)
	}
	if got := w.client.Get(t.Context(), "token:"+made.APIKey).Val(); got != odd {
		t.Errorf("the record is now %s", got)
	}
	w.record(made.APIKey, `{"rate_limit":5}`)
	if r := w.tool("token", "gen", "--api-key", made.APIKey, "--secret", testSecret); r.code != cli.ExitOK || !strings.Contains(r.out, "the record allows no route") {
		t.Errorf("%+v", r)
	}
	w.record(made.APIKey, `{"rate_limit":5,"exp":1700000000}`)
	if r := w.tool("token", "gen", "--api-key", made.APIKey, "--secret", testSecret); r.code != cli.ExitNotFound || !strings.Contains(r.err, "--ttl") {
		t.Errorf("%+v", r)
	}
}
