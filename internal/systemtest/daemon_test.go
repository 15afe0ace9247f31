//go:build unix

package systemtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"

	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
)

// daemon is `tykctl serve` as a process of its own, with a real Redis and a backend.
type daemon struct {
	*world  // for its backend, and for get; there is no log to look into
	jwt     string
	cmd     *exec.Cmd
	metrics string
	config  string // its file
}

// startDaemon runs serve with stderr as its log. through, if any, is what executes it.
func startDaemon(t *testing.T, stderr *os.File, through ...string) *daemon {
	t.Helper()
	store := redistest.Start(t)
	d := startDaemonOn(t, map[string]any{"addr": store.Addr}, stderr, through...)
	d.redis = store
	return d
}

// startDaemonOn is startDaemon with a Redis that is there already.
func startDaemonOn(t *testing.T, redis map[string]any, stderr *os.File, through ...string) *daemon {
	t.Helper()
	d := &daemon{world: &world{t: t, backend: newBackend(t), log: &lines{}}}
	_, port, _ := net.SplitHostPort(redistest.Nowhere(t))
	_, side, _ := net.SplitHostPort(redistest.Nowhere(t))
	d.url, d.metrics = "http://127.0.0.1:"+port, "http://127.0.0.1:"+side+"/metrics"
	cfg := map[string]any{
		"application": map[string]any{
			"target_host": d.backend.URL, "ip": "127.0.0.1", "port": json.Number(port),
			"token": map[string]any{"jwt_secret": testSecret},
		},
		"monitoring": map[string]any{"ip": "127.0.0.1", "port": json.Number(side)},
		"redis":      redis,
		"server":     map[string]any{"drain_delay": "0s"},
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	d.config = file
	d.jwt = d.issue().JWT

	d.cmd = program(t, "serve", "--config", file)
	if through != nil {
		named := filepath.Join(t.TempDir(), "tykctl") // which TestMain goes by
		if err := os.Symlink(d.cmd.Path, named); err != nil {
			t.Fatal(err)
		}
		d.cmd.Args = append(append(through, named), d.cmd.Args[1:]...)
		if d.cmd.Path, err = exec.LookPath(through[0]); err != nil {
			t.Fatal(err)
		}
	}
	d.cmd.Stderr = stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	d.eventually("it is ready", func() bool {
		res, err := http.Get(d.url + "/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return d
}

// issue makes a key with `tykctl token gen`.
func (d *daemon) issue() desk.Issued {
	d.t.Helper()
	made, err := program(d.t, "token", "gen", "--config", d.config, "--routes", "/**", "--limit", "1000000", "-o", "json").Output()
	if err != nil {
		d.t.Fatal(err)
	}
	var key desk.Issued
	if err := json.Unmarshal(made, &key); err != nil {
		d.t.Fatal(err)
	}
	return key
}

// many makes requests, each with a long line in the log, and wants 200 for all.
func (d *daemon) many(n int) {
	d.t.Helper()
	path := "/" + strings.Repeat("x", 4000)
	for range n {
		if r := d.get(path, d.jwt); r.StatusCode != http.StatusOK {
			d.t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
}

// dropped is what the metric says of lines.
func (d *daemon) dropped() string {
	d.t.Helper()
	res, err := http.Get(d.metrics)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	for scan := bufio.NewScanner(res.Body); scan.Scan(); {
		if n, ok := strings.CutPrefix(scan.Text(), "tykctl_log_dropped_total "); ok {
			return n
		}
	}
	return ""
}

// terminate ends it with SIGTERM and wants it to end in order.
func (d *daemon) terminate() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("it ended with %v", err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	return r, w
}

var missing = regexp.MustCompile(`lines were dropped here: .* lines=(\d+)\n`)

func TestServeWhenNobodyReadsItsLog(t *testing.T) {
	r, w := pipe(t)
	d := startDaemon(t, w)
	d.many(500)
	if got := d.dropped(); got == "0" {
		t.Error("nothing was dropped")
	}
	t.Run("and then somebody does", func(t *testing.T) {
		lost := d.dropped()
		var log lines
		go func() { _, _ = io.Copy(&log, r) }()
		d.eventually("the log says what is missing", func() bool {
			told := missing.FindStringSubmatch(log.String())
			return told != nil && told[1] == lost
		})
		d.many(1)
		if got := d.dropped(); got != lost {
			t.Errorf("%s lines dropped, want %s as before", got, lost)
		}
		d.terminate()
		w.Close()
		d.eventually("the last line", func() bool { return log.count("shutting down") == 1 })
	})
}

func TestServeEndsThoughNobodyReadsItsLog(t *testing.T) {
	_, w := pipe(t)
	d := startDaemon(t, w)
	d.many(500)
	d.terminate()
}

func TestServeOutlivesTheReaderOfItsLog(t *testing.T) {
	r, w := pipe(t)
	d := startDaemon(t, w)
	d.many(1)
	r.Close()
	w.Close()
	d.many(10)
	if got := d.dropped(); got == "0" {
		t.Error("nothing was dropped")
	}
	d.terminate()
}

// TestServeHasANewReader has the reader of a FIFO go, as on a log shipper's restart,
// and another one come.
func TestServeHasANewReader(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() *os.File {
		r, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	first := read()
	w, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, w)
	w.Close()
	first.Close()
	d.many(3)
	d.eventually("3 lines are dropped", func() bool { return d.dropped() == "3" })
	var log lines
	second := read()
	go func() { _, _ = io.Copy(&log, second) }()
	d.many(1)
	d.eventually("the log says what is missing, and goes on", func() bool {
		told := missing.FindStringSubmatch(log.String())
		return told != nil && told[1] == "3" && log.count("status=200") == 1
	})
	d.terminate()
}

func TestServeOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return // Linux has it, and what is tested is the same everywhere
	}
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	d := startDaemon(t, full)
	d.many(10)
	d.eventually("the lines are counted as dropped", func() bool { return len(d.dropped()) == 2 })
	d.terminate()
}

// Signals that ask a server to reload have to leave this one, and what is under way,
// as they are.
func TestServeOutlivesSignals(t *testing.T) {
	r, w := pipe(t)
	var log lines
	go func() { _, _ = io.Copy(&log, r) }()
	d := startDaemon(t, w)
	arrived, proceed := make(chan struct{}), make(chan struct{})
	d.backend.answer(func(rw http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-proceed
		_, _ = io.WriteString(rw, "finished")
	})
	answer := make(chan reply, 1)
	var all sync.WaitGroup
	all.Go(func() { answer <- d.get("/", d.jwt) })
	<-arrived
	for i, s := range []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
		if err := d.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if s != syscall.SIGPIPE {
			d.eventually("the log names "+s.String(), func() bool { return log.count("signal ignored") == i+1 })
		}
	}
	close(proceed)
	all.Wait()
	if got := <-answer; got.body != "finished" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	d.terminate()
}

// Serve says why it cannot start, and ends though its log takes nothing.
func TestServeCannotStart(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		r, w := pipe(t)
		if stuck {
			fill(t, w)
		}
		cmd := program(t, "serve")
		cmd.Stderr = w
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != cli.ExitFailed {
			t.Errorf("ended with %v", err)
		}
		w.Close()
		said, err := io.ReadAll(r)
		if err != nil || bytes.Contains(said, []byte("application.target_host")) == stuck {
			t.Errorf("%q, %v", said, err)
		}
	}
}

// fill leaves no room in a pipe.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 4096); ; {
		if _, err := syscall.Write(fd, piece); err != nil {
			break
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// On a terminal a request is one short line, with its status in colour.
func TestAccessLogOnATerminal(t *testing.T) {
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	var log lines
	go func() { _, _ = io.Copy(&log, ours) }()
	d := startDaemon(t, theirs)
	theirs.Close()
	d.many(1)
	d.get("/", "")
	want := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} \x1b\[32m200\x1b\[0m +[\d.]+ms [0-9a-f]{12}    GET /x+…\r\n` +
		`\d\d:\d\d:\d\d\.\d{3} \x1b\[33m401\x1b\[0m +[\d.]+ms 127\.0\.0\.1       GET / missing_token ….*\r\n`)
	d.log = &log
	d.eventually("both lines, in colour", func() bool { return want.MatchString(log.String()) })
	for line := range strings.Lines(want.FindString(log.String())) {
		if n := utf8.RuneCountInString(line) - len("\x1b[32m\x1b[0m\r\n"); n > 100 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	d.terminate()
}

// With few files more clients wait, and none gets an error.
func TestServeWithFewFiles(t *testing.T) {
	r, w := pipe(t)
	var log lines
	go func() { _, _ = io.Copy(&log, r) }()
	d := startDaemon(t, w, "sh", "-c", `ulimit -n 64 && exec "$@"`, "sh")
	d.log = &log
	d.eventually("a warning", func() bool { return log.count("may open only 64 files") == 1 })
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}} // with a connection of its own
			defer client.CloseIdleConnections()
			for range 5 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/", strings.NewReader("x"))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+d.jwt)
				if i%2 == 0 { // the other way to the backend, with connections of its own
					req.Header.Set("Expect", "100-continue")
				}
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("status %d", res.StatusCode)
				}
			}
		})
	}
	all.Wait()
	d.terminate()
}
