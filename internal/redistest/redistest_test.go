//go:build unix

package redistest

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestServerLivesAndDies(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.Client(t)
	ctx := t.Context()

	if err := c.Set(ctx, "key", "value", 0).Err(); err != nil {
		t.Fatalf("SET: %v", err)
	}
	if !strings.Contains(s.Log(), "Ready to accept connections") {
		t.Errorf("the log lacks the server's greeting:\n%s", s.Log())
	}

	addr := s.Addr
	s.Stop()
	s.Stop() // a second time does nothing
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("PING of a stopped server succeeded")
	}

	s.Restart()
	if s.Addr != addr {
		t.Errorf("restarted on %s, want %s", s.Addr, addr)
	}
	if n, err := c.DBSize(ctx).Result(); err != nil || n != 0 {
		t.Errorf("DBSIZE after a restart is %d, %v; want 0", n, err)
	}
	s.Restart() // from running
	if err := c.Ping(ctx).Err(); err != nil {
		t.Errorf("PING after the second restart: %v", err)
	}
}

func TestPauseHoldsAnswersBack(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.Client(t)
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a paused server answered PING")
	}
	s.Resume()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING after Resume: %v", err)
	}
}

func TestCleanupEndsAPausedServer(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("server", func(t *testing.T) {
		s := Start(t)
		s.Pause()
		addr = s.Addr
	})
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Errorf("%s still listens after the test that started it", addr)
	}
}

func TestStartPassesArguments(t *testing.T) {
	t.Parallel()
	s := Start(t, "--maxmemory", "7mb")
	got, err := s.Client(t).ConfigGet(t.Context(), "maxmemory").Result()
	if err != nil || got["maxmemory"] != "7340032" {
		t.Errorf("CONFIG GET maxmemory = %v, %v; want 7340032", got, err)
	}
}

func TestStartWithPassword(t *testing.T) {
	t.Parallel()
	s := Start(t, "--requirepass", "open sesame")
	if err := s.Client(t).Ping(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("PING without the password: %v, want NOAUTH", err)
	}
}

func TestStartTriesAnotherPort(t *testing.T) {
	t.Parallel()
	taken := Start(t)
	proposals := 0
	s := start(t, func() (int, error) {
		proposals++
		if proposals == 1 {
			addr, err := net.ResolveTCPAddr("tcp", taken.Addr)
			return addr.Port, err
		}
		return freePort()
	})
	if s.Addr == taken.Addr || proposals != 2 {
		t.Errorf("started on %s after %d proposals; %s was taken", s.Addr, proposals, taken.Addr)
	}
}

func TestStartFailsWithAdvice(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	got := fatal(t, func(t testing.TB) { Start(t) })
	for _, want := range []string{"apt-get install redis-server", "make test"} {
		if !strings.Contains(got, want) {
			t.Errorf("Start without redis-server failed with %q, want it to say %q", got, want)
		}
	}
}

func TestStartFailsWithTheLog(t *testing.T) {
	t.Parallel()
	got := fatal(t, func(t testing.TB) { Start(t, "--no-such-option", "1") })
	if !strings.Contains(got, "no-such-option") {
		t.Errorf("Start with a bad option failed with %q, want Redis's own words", got)
	}
}

// fatal returns what f failed with.
func fatal(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	if r.message == "" {
		t.Fatal("did not fail")
	}
	return r.message
}

// A recorder keeps the fatal message instead of failing the test.
type recorder struct {
	testing.TB
	message string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// A wire is long, not narrow: what was sent close together takes the way once.
func TestWireDelaysRepliesSideBySide(t *testing.T) {
	t.Parallel()
	wire := StartWire(t, Start(t).Addr)
	conn, err := net.Dial("tcp", wire.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const replies, delay = 20, 500 * time.Millisecond
	wire.Delay(delay)
	begun := time.Now()
	for range replies { // far enough apart to be replies of their own
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Millisecond)
	}
	if _, err := io.ReadFull(conn, make([]byte, replies*len("+PONG\r\n"))); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < delay || took > replies*delay {
		t.Errorf("%d replies took %v, each was delayed by %v", replies, took, delay)
	}
}
