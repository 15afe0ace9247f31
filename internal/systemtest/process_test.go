//go:build unix

package systemtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/tykctl/tykctl/internal/cli"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/term"
)

// program is tykctl as a process of its own, in an empty folder and with an
// environment that says nothing.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = append([]string{"tykctl"}, args...) // by its name TestMain knows what to be
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"TERM=xterm"}
	return cmd
}

// watchedKey puts a key into Redis of which 7 of 10 are used, and 2 refused.
func watchedKey(t *testing.T, store *redistest.Server) string {
	t.Helper()
	const key = "watched-key-0001"
	client := store.Client(t)
	for name, value := range map[string]string{
		"token:" + key:               `{"rate_limit":10,"window":"876000h"}`,
		"rate_count:" + key + ":0":   "7",
		"rate_refused:" + key + ":0": "2",
	} {
		if err := client.Set(t.Context(), name, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

// terminal is the other side of a terminal that tykctl runs on.
type terminal struct {
	t   *testing.T
	tty *os.File
	cmd *exec.Cmd
	out lines
	eof chan struct{}
}

func onTerminal(t *testing.T, columns uint16, cmd *exec.Cmd) *terminal {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	s := &terminal{t: t, tty: tty, cmd: cmd, eof: make(chan struct{})}
	go func() {
		defer close(s.eof)
		_, _ = io.Copy(&s.out, tty) // a terminal whose program ended is an error to read from
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = tty.Close() })
	return s
}

func (s *terminal) eventually(what string, so func(out string) bool) {
	s.t.Helper()
	w := &world{t: s.t, log: &s.out}
	w.eventually(what, func() bool { return so(s.out.String()) })
}

// ctrlC presses it, and returns what was written from then on and how the
// program ended.
func (s *terminal) ctrlC() (last string, err error) {
	s.t.Helper()
	before := len(s.out.String())
	if _, err := s.tty.Write([]byte{3}); err != nil {
		s.t.Fatal(err)
	}
	err = s.cmd.Wait()
	<-s.eof
	return s.out.String()[before:], err
}

func TestWatchOnATerminal(t *testing.T) {
	store := redistest.Start(t)
	s := onTerminal(t, 40, program(t, "limits", "show", watchedKey(t, store), "--watch", "--redis", store.Addr))
	s.eventually("the first drawing", func(out string) bool { return strings.Contains(out, "Ctrl-C ends it") })
	if out := s.out.String(); !strings.HasPrefix(out, term.CursorHide) || !strings.Contains(out, term.Green+"█") || !strings.Contains(out, "refused:    2") {
		t.Errorf("drawn: %q", out)
	}
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 24, Cols: 20}); err != nil {
		t.Fatal(err)
	}
	s.eventually("drawing at the new width", func(out string) bool { return strings.Contains(out, "fixed_…") })
	store.Pause()
	s.eventually("word that Redis is away", func(out string) bool { return strings.Contains(out, "as last seen") })
	store.Resume()
	s.eventually("word that it is back", func(out string) bool {
		_, after, _ := strings.Cut(out, "as last seen")
		return strings.Contains(after, "Ctrl-C ends it")
	})
	last, err := s.ctrlC()
	if err != nil {
		t.Errorf("Ctrl-C ends it with %v, want exit code 0", err)
	}
	if !strings.HasSuffix(last, term.CursorShow) || !strings.Contains(last, "refused:    2") {
		t.Errorf("last: %q", last)
	}
	if all := s.out.String(); strings.Contains(all, "\x1b[2J") || strings.Count(all, term.CursorHide) != 1 || strings.Count(all, term.CursorShow) != 1 {
		t.Errorf("the screen is cleared, or the cursor hidden or shown twice: %q", all)
	}
}

func TestTopWatchedOnATerminal(t *testing.T) {
	store := redistest.Start(t)
	key := watchedKey(t, store)
	s := onTerminal(t, 80, program(t, "limits", "top", "--watch", "--redis", store.Addr))
	s.eventually("the first drawing", func(out string) bool { return strings.Contains(out, "Ctrl-C ends it") })
	out := s.out.String()
	if !strings.HasPrefix(out, term.CursorHide+"\rAPI_KEY ") || !strings.Contains(out, key+"  "+storage.KeyHash(key)+"  7     10") {
		t.Errorf("drawn: %q", out)
	}
	if err := store.Client(t).Set(t.Context(), "rate_count:"+key+":0", "9", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.eventually("what changed", func(out string) bool { return strings.Contains(out, "  9     10") })
	if last, err := s.ctrlC(); err != nil || !strings.HasSuffix(last, term.CursorShow) {
		t.Errorf("last: %q, %v", last, err)
	}
}

func TestWatchWithoutColour(t *testing.T) {
	store := redistest.Start(t)
	key := watchedKey(t, store)
	for name, tt := range map[string]struct {
		env   string
		plain bool // not drawn, but listed
	}{
		"NO_COLOR": {"NO_COLOR=1", false},
		"dumb":     {"TERM=dumb", true},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := program(t, "limits", "show", key, "--watch", "--redis", store.Addr)
			cmd.Env = append(cmd.Env, tt.env)
			s := onTerminal(t, 80, cmd)
			s.eventually("the figures", func(out string) bool { return strings.Contains(out, "refused") })
			if _, err := s.ctrlC(); err != nil {
				t.Error(err)
			}
			out := s.out.String()
			for _, colour := range []string{term.Green, term.Yellow, term.Red} {
				if strings.Contains(out, colour) {
					t.Errorf("coloured: %q", out)
				}
			}
			if strings.Contains(out, "\x1b") == tt.plain {
				t.Errorf("drawn: %v, want %v: %q", !tt.plain, tt.plain, out)
			}
		})
	}
}

// TestInterrupt ends commands that wait, for stdin and for a Redis that is silent.
func TestInterrupt(t *testing.T) {
	interrupt := func(t *testing.T, cmd *exec.Cmd) {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
			t.Errorf("ended by %v, want the interrupt", err)
		}
	}
	t.Run("stdin", func(t *testing.T) {
		cmd := program(t, "limits", "show", "-")
		ours, theirs := sockets(t)
		cmd.Stdin = theirs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// More than lies between, so that what was written was read, and less than is read.
		if _, err := ours.Write(make([]byte, cli.MaxArgument-1)); err != nil {
			t.Fatal(err)
		}
		interrupt(t, cmd)
	})
	t.Run("Redis", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		cmd := program(t, "limits", "top", "--redis", l.Addr().String())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		interrupt(t, cmd)
	})
}

// sockets are two ends between which little has room.
func sockets(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetsockoptInt(fds[0], syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096); err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	return ours, theirs
}

// TestReaderLeaves has a reader go after one line, as head -1 does.
func TestReaderLeaves(t *testing.T) {
	store := redistest.Start(t)
	key := watchedKey(t, store)
	for _, args := range [][]string{
		{"config", "reference"},
		{"config", "show"},
		{"completion", "bash"},
		{"help"},
		{"limits", "show", key, "--redis", store.Addr},
		{"limits", "show", key, "--watch", "--redis", store.Addr},
		{"limits", "top", "--redis", store.Addr},
		{"token", "list", "--redis", store.Addr},
		{"token", "list", "-o", "json", "--redis", store.Addr},
		{"token", "inspect", key, "--redis", store.Addr},
		{"doctor", "--redis", store.Addr},
	} {
		for _, ignored := range []bool{false, true} { // whether the parent has SIGPIPE ignored
			t.Run(strings.Join(args[:min(2, len(args))], " "), func(t *testing.T) {
				if ignored {
					signal.Ignore(syscall.SIGPIPE)
					defer signal.Reset(syscall.SIGPIPE)
				}
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				_ = r.Close()
				var errs bytes.Buffer
				cmd := program(t, args...)
				cmd.Stdout, cmd.Stderr = w, &errs
				err = cmd.Run()
				_ = w.Close()
				if errs.Len() > 0 {
					t.Errorf("it says %q", errs.String())
				}
				exit, failed := errors.AsType[*exec.ExitError](err)
				if failed && exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE {
					t.Errorf("ended by %v", err)
				}
			})
		}
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return // Linux has it, and what is tested is the same everywhere
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	for _, args := range [][]string{{"secret"}, {"help"}, {"config", "show"}, {"completion", "zsh"}} {
		var errs bytes.Buffer
		cmd := program(t, args...)
		cmd.Stdout, cmd.Stderr = full, &errs
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != cli.ExitFailed || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v: %v, %q", args, err, errs.String())
		}
	}
}

// TestListedInAPipe reads lines of a watch as they come, through a Redis that
// goes away and comes back.
func TestListedInAPipe(t *testing.T) {
	store := redistest.Start(t)
	cmd := program(t, "limits", "show", watchedKey(t, store), "--watch", "-o", "json", "--redis", store.Addr)
	var errs lines
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := bufio.NewScanner(out)
	line := func() string {
		if !read.Scan() {
			t.Fatalf("no line: %v: %s", read.Err(), errs.String())
		}
		return read.Text()
	}
	for range 2 {
		if l := line(); !strings.HasPrefix(l, `{"api_key":"watched-key-0001","algorithm":"fixed_window","limit":10,`) {
			t.Errorf("line: %s", l)
		}
	}
	store.Stop()
	w := &world{t: t, log: &errs}
	w.eventually("word that Redis is away", func() bool { return errs.count("trying again") == 1 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended by %v: %s", err, errs.String())
	}
}

// TestNowhere names a Redis whose host swallows every packet: the queue of those
// who would connect is full.
func TestNowhere(t *testing.T) {
	addr := fullListener(t)
	for _, args := range [][]string{
		{"limits", "show", "watched-key-0001"},
		{"limits", "reset", "watched-key-0001"},
		{"limits", "top"},
		{"doctor"},
		{"token", "gen", "--secret", testSecret},
		{"token", "inspect", "watched-key-0001"},
		{"token", "inspect", signed(t, `{"api_key":"watched-key-0001","exp":4102444800}`), "--secret", testSecret},
		{"token", "list"},
		{"token", "update", "watched-key-0001", "--limit", "5"},
		{"token", "revoke", "watched-key-0001"},
	} {
		var errs bytes.Buffer
		cmd := program(t, append(args, "--redis", addr)...)
		cmd.Stderr = &errs
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != cli.ExitNoRedis || !strings.Contains(errs.String(), addr) {
			t.Errorf("%v: %v, %q", args, err, errs.String())
		}
	}
}
