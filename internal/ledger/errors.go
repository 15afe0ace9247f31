package ledger

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

var (
	// ErrUnknown means that there is no record. The key was revoked, has expired, or never was.
	ErrUnknown = errors.New("no record of this key")
	// ErrExpired means that there is a record, and that its time is over.
	ErrExpired = errors.New("the key's record has expired")
	// ErrRecord means that there is a record, and that it cannot be understood.
	ErrRecord = errors.New("the key's record is unreadable")
	// ErrUnavailable means that Redis did not answer in time, or not with an answer.
	// It says nothing about the key.
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrExists means that a record of this api_key is there already.
	ErrExists = errors.New("a record of this key exists already")
)

// kinds are the failures that Redis names itself, by the first word of its error.
var kinds = map[string]string{
	"OOM": "oom", "READONLY": "readonly", "LOADING": "loading",
	"NOAUTH": "noauth", "WRONGPASS": "noauth", "NOPERM": "noperm",
	"WRONGTYPE": "wrongtype", "CLUSTERDOWN": "clusterdown", "MASTERDOWN": "masterdown",
	"MOVED": "moved", "ASK": "moved", "TRYAGAIN": "tryagain", "MISCONF": "misconf", "BUSY": "busy",
}

// kind sorts an error into a closed set, fit for a metric's label.
func kind(err error) string {
	if err == nil || errors.Is(err, redis.Nil) {
		return ""
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if errors.Is(err, ErrRecord) {
		return "record"
	}
	if errors.Is(err, redislimit.ErrBusy) {
		return "queue"
	}
	if errors.Is(err, redislimit.ErrReply) {
		return "reply"
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) {
		return "timeout"
	}
	if e, ok := errors.AsType[redis.Error](err); ok {
		// A script reports what its commands met; the server's word may stand behind a prefix.
		word, _, _ := strings.Cut(strings.TrimPrefix(e.Error(), "ERR "), " ")
		if k, ok := kinds[strings.TrimPrefix(word, "-")]; ok {
			return k
		}
		if strings.Contains(e.Error(), "unauthenticated") { // said instead of NOAUTH to a command with many arguments
			return "noauth"
		}
		return "reply"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "timeout"
	}
	return "connection"
}
