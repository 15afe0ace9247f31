package systemtest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

// A Redis that answers, and grants nothing, is no healthy one: /ready, the metric, the
// log, the client's answer and the doctor all say so.
func TestRedisRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		strike, heal func(f *trouble)
		kind, says   string
		doctor       string
	}{
		"out of memory": {
			strike: func(f *trouble) { f.config("maxmemory", "1") },
			heal:   func(f *trouble) { f.config("maxmemory", "0") },
			kind:   "oom", says: "raise its maxmemory", doctor: "✗ rights          Redis refuses to write: oom\n                  → redis is out of memory",
		},
		"read-only": {
			strike: func(f *trouble) { f.command("replicaof", "127.0.0.1", "1") },
			heal:   func(f *trouble) { f.command("replicaof", "no", "one") },
			kind:   "readonly", says: "name its master", doctor: "is a replica, which refuses to write",
		},
		"without rights": {
			strike: func(f *trouble) { f.command("acl", "setuser", "default", "-incrby") },
			heal:   func(f *trouble) { f.command("acl", "setuser", "default", "+@all") },
			kind:   "noperm", says: "names the missing right", doctor: "✗ rights          Redis's user may not INCRBY on rate_count:*",
		},
		"with a full disk": {
			strike: func(f *trouble) {
				dir := f.client.ConfigGet(f.t.Context(), "dir").Val()["dir"]
				if err := os.MkdirAll(filepath.Join(dir, "dump.rdb", "in the way"), 0o700); err != nil {
					f.t.Fatal(err)
				}
				f.command("bgsave")
				f.eventually("a snapshot that failed", func() bool {
					return strings.Contains(f.client.Info(f.t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
				})
			},
			heal: func(f *trouble) { f.config("stop-writes-on-bgsave-error", "no") },
			kind: "misconf", says: "the disk may be full", doctor: "✗ rights          Redis refuses to write: misconf",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := redistest.Start(t, "--save", "900 1")
			f := &trouble{world: startWith(t, store, map[string]string{"server.access_log": "false"})}
			f.ready()
			f.key = f.token(desk.Grant{Limit: 1_000_000, Window: forever})
			permit := func() {
				t.Helper()
				if r := f.get("/api/v1/test", f.key.JWT); r.StatusCode != 200 {
					t.Errorf("%d %s", r.StatusCode, r.body)
				}
			}
			permit()

			tt.strike(f)
			f.eventually("not ready", func() bool {
				r := f.get("/ready", "")
				return r.StatusCode == 503 && strings.Contains(r.body, tt.kind)
			})
			for range 20 {
				r := f.get("/api/v1/test", f.key.JWT)
				if r.StatusCode != 503 || r.problem.Detail != "The limit store returned an error." {
					t.Errorf("the client reads %d %q", r.StatusCode, r.problem.Detail)
				}
			}
			f.eventually("the metric", func() bool { return f.metric("tykctl_redis_up") == "0" })
			if n := f.log.count(`"kind":"` + tt.kind + `"`); n != 1 || f.log.count(tt.says) != 1 {
				t.Errorf("the log says %d times %s:\n%s", n, tt.kind, f.log)
			}
			var out bytes.Buffer
			doctor := &cli.Program{In: strings.NewReader(""), Out: &out, Err: io.Discard, Environ: func() []string { return nil }, Now: time.Now}
			if code := doctor.Run(t.Context(), []string{"doctor", "--redis", store.Addr}); code == cli.ExitOK || !strings.Contains(out.String(), tt.doctor) || strings.Contains(out.String(), "start it, or name") {
				t.Errorf("the doctor (%d) says\n%s", code, out.String())
			}

			tt.heal(f)
			f.eventually("ready again", func() bool { return f.get("/ready", "").StatusCode == 200 })
			permit()
			f.eventually("the metric", func() bool { return f.metric("tykctl_redis_up") == "1" })
		})
	}
}
