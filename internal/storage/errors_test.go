package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// reply is an error as Redis words it.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestKind(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{redis.Nil, ""},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), "oom"},
		{reply("READONLY You can't write against a read only replica."), "readonly"},
		{reply("LOADING Redis is loading the dataset in memory"), "loading"},
		{reply("NOAUTH Authentication required."), "noauth"},
		{reply("ERR Protocol error: unauthenticated multibulk length"), "noauth"},
		{reply("WRONGPASS invalid username-password pair or user is disabled."), "noauth"},
		{reply("NOPERM this user has no permissions"), "noperm"},
		{reply("WRONGTYPE Operation against a key holding the wrong kind of value"), "wrongtype"},
		{reply("ERR WRONGTYPE Operation against a key script: 0ab"), "wrongtype"},
		{reply("CLUSTERDOWN The cluster is down"), "clusterdown"},
		{reply("MOVED 3999 127.0.0.1:6381"), "moved"},
		{reply("ERR unknown command"), "reply"},
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "timeout"},
		{os.ErrDeadlineExceeded, "timeout"},
		{redis.ErrPoolTimeout, "timeout"},
		{io.EOF, "connection"},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, "connection"},
		{ErrRecord, "record"},
		{redislimit.ErrBusy, "queue"},
		{redislimit.ErrReply, "reply"},
	} {
		if got := Classify(tt.err); got != tt.want {
			t.Errorf("Classify(%v) = %q, want %q", tt.err, got, tt.want)
		}
		if tt.err == nil {
			continue
		}
		if got := Classify(fmt.Errorf("wrapped: %w", tt.err)); got != tt.want {
			t.Errorf("Classify(wrapped %v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
