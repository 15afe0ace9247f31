package redislimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// said is an error as Redis words it.
type said string

func (s said) Error() string { return string(s) }
func (said) RedisError()     {}

func TestOnlyWhatWasNotRunIsAskedAgain(t *testing.T) {
	for _, tt := range []struct {
		err   error
		times int // that it is worth asking again
	}{
		{said("TRYAGAIN Multiple keys request during rehashing of slot"), maxAgain},
		{said("LOADING Redis is loading the dataset in memory"), 1},
		{said("READONLY You can't write against a read only replica. script: 0ab"), 1},
		{said("CLUSTERDOWN The cluster is down"), 1},
		{said("MASTERDOWN Link with MASTER is down"), 1},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, 1},
		{redis.ErrPoolTimeout, 1},

		{said("OOM command not allowed when used memory > 'maxmemory'."), 0},
		{said("ERR unknown command"), 0},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, 0},
		{&net.OpError{Op: "write", Err: errors.New("broken pipe")}, 0},
		{io.EOF, 0},
		{context.DeadlineExceeded, 0},
		{ErrReply, 0},
		{ErrBusy, 0},
	} {
		times := 0
		for again(times).worth(t.Context(), time.Time{}, fmt.Errorf("redislimit: %w", tt.err)) {
			times++
		}
		if times != tt.times {
			t.Errorf("%v: worth asking again %d times, want %d", tt.err, times, tt.times)
		}
	}
}

func TestAskingAgainEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	cancel()
	if again(maxAgain-1).worth(ctx, time.Time{}, said("TRYAGAIN Multiple keys")) {
		t.Error("it is worth asking for a caller who has left")
	}
}

func TestAMovingSlotIsAskedForWhileThereIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, tried := time.Now(), again(0)
		deadline := begun.Add(time.Second)
		for tried.worth(t.Context(), deadline, said("TRYAGAIN Multiple keys")) {
			tried++
		}
		if took := time.Since(begun); took <= time.Second-maxPause-firstPause || took >= time.Second {
			t.Errorf("asked again for %v, want nearly 1s", took)
		}
		if most := again(time.Second/maxPause) + 3; tried > most {
			t.Errorf("asked again %d times, want at most %d", tried, most)
		}
	})
}

func TestAskingAgainEndsWithTheTime(t *testing.T) {
	soon := time.Now().Add(maxPause)
	if again(maxAgain).worth(t.Context(), soon, said("TRYAGAIN Multiple keys")) {
		t.Error("it is worth asking when the time ends before the pause does")
	}
}
