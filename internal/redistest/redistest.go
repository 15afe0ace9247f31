//go:build unix

// Package redistest runs a real redis-server for a test and takes it through the
// troubles a server has: death, restart with everything lost, and a pause. Only
// tests may import it.
package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	startTimeout = 10 * time.Second
	pollInterval = 5 * time.Millisecond
	portAttempts = 5
)

// A Server is a redis-server of the test's own. Its methods may be called from
// the goroutine that runs the test only, except for Log.
type Server struct {
	// Addr is the loopback address and port; it stays the same after Restart.
	Addr string

	t      testing.TB
	binary string
	args   []string
	config func(port string) (args []string, err error) // in place of args, for a Sentinel
	log    logBuffer
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// Start runs a redis-server without persistence on a free loopback port, with
// args after its own (such as "--maxmemory", "1mb"), and returns when it answers
// PING. It ends with the test. Without a redis-server the test fails: a proof
// that is left out proves nothing.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, freePort, args...)
}

func start(t testing.TB, port func() (int, error), args ...string) *Server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redistest: %v: install redis-server (Debian: apt-get install redis-server) or run make test", err)
	}
	s := &Server{t: t, binary: binary, args: append([]string{"--dir", t.TempDir()}, args...)}
	s.startOn(port)
	return s
}

// startOn asks port anew when something else took the port that it proposed.
func (s *Server) startOn(port func() (int, error)) {
	t := s.t
	t.Helper()
	t.Cleanup(s.Stop)
	for range portAttempts {
		number, err := port()
		if err != nil {
			t.Fatalf("redistest: no free port: %v", err)
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
		err = s.run()
		if err == nil {
			return
		}
		if !errors.Is(err, errPortTaken) {
			t.Fatalf("redistest: %v\n%s", err, s.Log())
		}
	}
	t.Fatalf("redistest: %d ports in a row were taken\n%s", portAttempts, s.Log())
}

// Client returns a client of the server that is closed with the test. It does not
// retry, and contexts cut its commands short.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr:                  s.Addr,
		MaxRetries:            -1,
		ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("redistest: close client: %v", err)
		}
	})
	return c
}

// Stop kills the server (SIGKILL) and returns when it is gone. Stopping a server
// that is not running does nothing.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.signal(syscall.SIGKILL)
	<-s.exited
	s.cmd = nil
}

// Restart stops the server if it runs, starts it on the same port, empty, and
// returns when it answers PING.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.run(); err != nil {
		s.t.Fatalf("redistest: restart: %v\n%s", err, s.Log())
	}
}

// Pause freezes the server (SIGSTOP): its connections stay open and nothing is
// answered until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume wakes a paused server.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

// Log returns what the server wrote so far, over all its runs.
func (s *Server) Log() string { return s.log.String() }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatalf("redistest: %v: the server does not run", sig)
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatalf("redistest: %v: %v", sig, err)
	}
}

var errPortTaken = errors.New("port taken")

// run starts the process and waits until it answers. The caller sees either a
// running server or an error and no process.
func (s *Server) run() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	args := append([]string{
		"--bind", host, "--port", port,
		"--save", "", "--appendonly", "no",
	}, s.args...)
	if s.config != nil {
		if args, err = s.config(port); err != nil {
			return err
		}
	}
	cmd := exec.Command(s.binary, args...) //nolint:gosec // The binary is found by a fixed name and the arguments are the test's.
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	cmd.SysProcAttr = dieWithParent()
	begin := s.log.Len()
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(exited)
		// Linux counts the thread that started a process as its parent (golang.org/issue/27505).
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // How it ended is in the log.
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.exited = cmd, exited
	if err := s.await(); err != nil {
		s.Stop()
		if strings.Contains(s.log.From(begin), "Address already in use") {
			return errPortTaken
		}
		return err
	}
	return nil
}

func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-s.exited:
			return errors.New("redis-server ended at once")
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer PING after %v", startTimeout)
		case <-poll.C:
			if s.answers(ctx) {
				return nil
			}
		}
	}
}

func (s *Server) hasExited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// answers reports whether the server answers PING. It then asks for the process
// id as well: another test's server may have taken the port first. A server with
// a password tells neither; that it answers has to do.
func (s *Server) answers(ctx context.Context) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return false
	}
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return false
	}
	lines := bufio.NewScanner(conn)
	if !lines.Scan() {
		return false
	}
	switch first := lines.Text(); {
	case strings.HasPrefix(first, "-NOAUTH"):
		return !s.hasExited()
	case first != "+PONG":
		return false
	}
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return id == strconv.Itoa(s.cmd.Process.Pid)
		}
	}
	return false
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
