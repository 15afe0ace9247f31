package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/ledger"
)

// storeWait is how long an operator's command waits for Redis.
const storeWait = 1500 * time.Millisecond

// store says where the keys are, when not where the configuration has them.
type store struct{ redis, prefix string }

// flags declares --redis and --prefix for a command, or for all beneath it.
func (s *store) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&s.redis, "redis", "", "Redis' `host:port`, several with commas for a Cluster (default: the configuration's)")
	f.StringVar(&s.prefix, "prefix", "", `what stands before the api_key in a record's name (default: the configuration's, "token:")`)
	completeFlag(cmd, "redis")
	completeFlag(cmd, "prefix")
}

// overrides are the options that the flags set.
func (s *store) overrides() map[string]string {
	options := map[string]string{}
	switch {
	case s.redis == "":
	case strings.Contains(s.redis, ","):
		options["redis.addrs"] = s.redis
	default:
		options["redis.addr"], options["redis.addrs"] = s.redis, ""
	}
	if s.prefix != "" {
		options["application.token.prefix"] = s.prefix
	}
	return options
}

// withKeys has do work on the keys in Redis.
func (a *app) withKeys(s *store, do func(*ledger.Ledger, *config.Config) error) error {
	cfg, err := a.load(s.overrides())
	if err != nil {
		return err
	}
	return withStore(cfg, func(book *ledger.Ledger) error { return do(book, cfg) })
}

// walkGC is the collector's pace, as of GOGC, while all keys are gone through: so
// little of what that makes is kept that the usual pace costs a fifth of the time.
const walkGC = 400

// withAllKeys is withKeys for work that goes through all of them.
func (a *app) withAllKeys(s *store, do func(*ledger.Ledger, *config.Config) error) error {
	if a.getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(walkGC))
	}
	return a.withKeys(s, do)
}

// withStore has do work on cfg's keys, and says in a fault of Redis where it was
// sought.
func withStore(cfg *config.Config, do func(*ledger.Ledger) error) error {
	book, err := openStore(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	return storeError(do(book), cfg)
}

// openStore fails only for TLS files that cannot be used.
func openStore(cfg *config.Config) (*ledger.Ledger, error) {
	o := storeOptions(cfg)
	o.Timeout = storeWait
	var err error
	if o.TLS, err = storeTLS(cfg, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	return ledger.Open(o), nil
}

// storeError adds to a fault of Redis where it was sought and what to do.
func storeError(err error, cfg *config.Config) error {
	switch {
	case errors.Is(err, ledger.ErrCounter):
		return fmt.Errorf("%w; 'tykctl limits reset KEY' begins anew", err)
	case !errors.Is(err, ledger.ErrUnavailable):
		return err
	}
	hint := ledger.Advice(err)
	switch {
	case hint != "":
	case errors.Is(err, ledger.ErrRefused):
		hint = "it answers, but with an error: see its log"
	default:
		hint = absence(err, cfg.Redis.TLS)
	}
	return fmt.Errorf("%s: %w; %s", strings.Join(storeAddrs(cfg), ","), err, hint)
}

// absence says what to do about a Redis that gave no answer. Only where nothing takes
// connections is it known not to run.
func absence(err error, secure bool) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "start it, or name another with --redis"
	}
	speaks := fmt.Sprintf("see its log, and whether it speaks TLS there (redis.tls is %t)", secure)
	if ledger.Kind(err) == "timeout" {
		return "it may hang: " + speaks
	}
	return "it ends the connection: " + speaks
}
