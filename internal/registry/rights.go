package registry

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// right is a command that the ledger or its scripts send, in a form that does
// nothing to a name that holds nothing: Redis looks at rights before it finds
// that the arguments are wrong, or that there is nothing to change.
type right struct {
	command string
	args    []any // after the name
}

// What is done to records, to counters, and to no name at all. A test takes
// these away one by one.
var (
	recordRights = []right{
		{"GET", nil},
		{"SET", []any{"", "XX"}}, // changes only what is there
		{"PTTL", nil},
		{"DEL", nil},
	}
	counterRights = []right{
		{"GET", nil},
		{"SET", []any{"", "XX"}},
		{"DEL", nil},
		{"INCRBY", []any{"x"}}, // not a number
		{"DECRBY", []any{"x"}},
		{"PEXPIRE", []any{0}},
		{"PEXPIREAT", []any{0}},
		{"HMGET", []any{"x"}},
		{"HSET", []any{"x", "0", "y"}}, // a field without a value
		{"HINCRBY", []any{"x", "y"}},   // not a number
	}
	otherRights = [][]any{
		{"PING"},
		{"TIME"},
		{"SCAN", 0, "COUNT", 1},
	}
)

// Rights are the rules that give a user of Redis all that is needed of it, as
// ACL SETUSER takes them.
func (r *Registry) Rights() string {
	rules := []string{"~" + r.opts.Prefix + "*", "~rate_*"}
	commands := map[string]bool{"eval": true, "evalsha": true}
	for _, r := range slices.Concat(recordRights, counterRights) {
		commands[strings.ToLower(r.command)] = true
	}
	for _, r := range otherRights {
		commands[strings.ToLower(r[0].(string))] = true
	}
	for command := range commands {
		rules = append(rules, "+"+command)
	}
	slices.Sort(rules[2:])
	return strings.Join(rules, " ")
}

// tryRights tries what is needed on names that no key has.
func (r *Registry) tryRights(ctx context.Context, f *Facts) {
	nobody := jwtauth.NewAPIKey()
	record := r.store.RecordName(nobody)
	names := redislimit.Options{HashTag: r.store.At().Cluster != nil}
	counters := []string{names.CounterKey(nobody, time.Time{}), names.RefusedKey(nobody, time.Time{})}
	for _, algorithm := range []ratelimit.Algorithm{ratelimit.SlidingWindow, ratelimit.TokenBucket, ratelimit.LeakyBucket} {
		counters = append(counters, names.StateKey(nobody, algorithm))
	}

	pipe := r.store.At().Client.Pipeline()
	var what []string
	try := func(on string, args ...any) {
		text := args[0].(string)
		if on != "" {
			text += " on " + on[:strings.LastIndex(on, nobody)] + "*"
		}
		what = append(what, text)
		_ = pipe.Process(ctx, redis.NewCmd(ctx, args...)) // a pipeline only keeps it
	}
	for _, args := range otherRights {
		try("", args...)
	}
	for _, r := range recordRights {
		try(record, append([]any{r.command, record}, r.args...)...)
	}
	for _, name := range counters {
		for _, r := range counterRights {
			try(name, append([]any{r.command, name}, r.args...)...)
		}
	}
	try("", "EVAL", "return 0", 1, counters[0])
	try("", "EVALSHA", strings.Repeat("0", 40), 1, counters[0])

	tried, _ := redislimit.Exec(ctx, pipe) // each has its own error, and most have one
	for i, cmd := range tried {
		switch k := storage.Classify(cmd.Err()); k {
		case "noperm":
			f.Denied = append(f.Denied, what[i])
		case "", "reply", "canceled", "timeout", "connection":
		default:
			f.Refuses = k
		}
	}
}
