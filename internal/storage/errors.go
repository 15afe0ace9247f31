package storage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/tlsfiles"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

var (
	// ErrUnknown means that there is no record. The key was revoked, has expired, or never was.
	ErrUnknown = errors.New("no record of this key")
	// ErrExpired means that there is a record, and that its time is over.
	ErrExpired = errors.New("the key's record has expired")
	// ErrRecord means that there is a record, and that it cannot be understood.
	ErrRecord = errors.New("the key's record is unreadable")
	// ErrCounter means that what Redis counts for the key cannot be understood.
	// A reset of the key begins anew.
	ErrCounter = errors.New("what counts for the key is unreadable")
	// ErrUnavailable means that Redis did not answer in time, or not with an answer.
	// It says nothing about the key.
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrRefused is an [ErrUnavailable], too: Redis, or a Sentinel, answered with an
	// error of its own. [Kind] says which.
	ErrRefused = errors.New("redis refuses")
)

// outage is an [ErrUnavailable].
type outage struct {
	kind    string
	refused bool
	err     error
}

func (o *outage) Error() string {
	is := ErrUnavailable
	if o.refused {
		is = ErrRefused
	}
	return fmt.Sprintf("%s (%s): %s", is, o.kind, o.err)
}

func (o *outage) Unwrap() []error {
	if o.refused {
		return []error{ErrUnavailable, ErrRefused, o.err}
	}
	return []error{ErrUnavailable, o.err}
}

// newOutage names the Sentinels where it was one of them that failed.
func newOutage(kind string, err error, sentinels []string) error {
	_, refused := errors.AsType[redis.Error](err)
	if atSentinel(err) {
		_, cause, _ := strings.Cut(err.Error(), atSentinels+" ")
		if kind == "sentinel" {
			cause = "they know no master of this name: check redis.master_name"
		}
		err = &atSentinelError{fmt.Sprintf("at the Sentinel %s: %s", strings.Join(sentinels, ","), strings.ReplaceAll(cause, "\n", "; ")), err}
	}
	return &outage{kind, refused, err}
}

type atSentinelError struct {
	text string
	err  error
}

func (e *atSentinelError) Error() string { return e.text }
func (e *atSentinelError) Unwrap() error { return e.err }

// atSentinels is how the client begins the error for the case that no Sentinel has
// told who the master is.
const atSentinels = "all sentinels specified in configuration are unreachable:"

func atSentinel(err error) bool { return err != nil && strings.Contains(err.Error(), atSentinels) }

// AtSentinel reports whether it was a Sentinel that failed, and not Redis itself.
func AtSentinel(err error) bool {
	_, is := errors.AsType[*atSentinelError](err)
	return is
}

// NoSuchKey reports whether err says that there is no such key.
func NoSuchKey(err error) bool { return errors.Is(err, redis.Nil) && !atSentinel(err) }

// Kind names what is the matter with Redis, if err is an [ErrUnavailable]: the word
// that stands in the metrics, such as oom or timeout. Else it is "".
func Kind(err error) string {
	if o, ok := errors.AsType[*outage](err); ok {
		return o.kind
	}
	if errors.Is(err, ErrUnavailable) {
		return Classify(err)
	}
	return ""
}

// tlsOptions begins the names of the options for TLS with Redis.
const tlsOptions = "redis.tls_"

func tlsAdvice(err error) string { return tlsfiles.Advice(err, tlsOptions) }

// kinds are the failures that Redis names itself, by the first word of its error.
var kinds = map[string]string{
	"OOM": "oom", "READONLY": "readonly", "LOADING": "loading",
	"NOAUTH": "noauth", "WRONGPASS": "noauth", "NOPERM": "noperm",
	"WRONGTYPE": "wrongtype", "CLUSTERDOWN": "clusterdown", "MASTERDOWN": "masterdown",
	"MOVED": "moved", "CROSSSLOT": "moved", "ASK": "moved", "TRYAGAIN": "tryagain", "MISCONF": "misconf", "BUSY": "busy",
}

// Classify sorts an error into a closed set, fit for a metric's label.
func Classify(err error) string {
	if err == nil || NoSuchKey(err) {
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
	if errors.Is(err, redislimit.ErrState) {
		return "counter"
	}
	if errors.Is(err, redislimit.ErrReply) {
		return "reply"
	}
	if errors.Is(err, redis.Nil) { // what a Sentinel says of a master that it does not know
		return "sentinel"
	}
	if tlsfiles.IsFault(err) {
		return "tls"
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
		if strings.Contains(e.Error(), "The user executing the script can't") { // NOPERM, when a script meets it
			return "noperm"
		}
		return "reply"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "timeout"
	}
	return "connection"
}
