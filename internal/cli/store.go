package cli

import (
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
)

// defaultSearch is how long a search for a key by its hash may take: about ten
// million keys.
const defaultSearch = 30 * time.Second

// store says where the keys are, when not where the configuration has them, and
// how long to search for one.
type store struct {
	redis, prefix string
	timeout       time.Duration
}

// flags declares --redis and --prefix for a command, or for all beneath it.
func (s *store) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	textFlag(f, &s.redis, "redis", "host:port", "the Redis server, or several of a Cluster, separated by commas (default: from the configuration)")
	textFlag(f, &s.prefix, "prefix", "text", "the prefix of a record's name (default: from the configuration, or \"token:\")")
	completeFlag(cmd, "redis")
	completeFlag(cmd, "prefix")
}

// searchFlag declares --timeout for the commands that take a key's hash.
func (s *store) searchFlag(cmd *cobra.Command) {
	s.timeout = defaultSearch
	cmd.PersistentFlags().Var((*duration.Flag)(&s.timeout), "timeout", "how long to search for a key by its hash")
	completeFlag(cmd, "timeout")
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
func (a *Program) withKeys(s *store, do func(*registry.Registry, *config.Config) error) error {
	cfg, err := a.load(s.overrides())
	if err != nil {
		return err
	}
	return withStore(cfg, func(book *registry.Registry) error { return do(book, cfg) })
}

// walkGC is the collector's pace, as of GOGC, while all keys are gone through: so
// little of what that makes is kept that the usual pace costs a fifth of the time.
const walkGC = 400

// withAllKeys is withKeys for work that goes through all of them.
func (a *Program) withAllKeys(s *store, do func(*registry.Registry, *config.Config) error) error {
	if a.getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(walkGC))
	}
	return a.withKeys(s, do)
}

// withStore has do work on cfg's keys, and says in a fault of Redis where it was
// sought.
func withStore(cfg *config.Config, do func(*registry.Registry) error) error {
	opened, err := app.OpenStore(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	return storeError(do(registry.New(opened)), cfg)
}
