package cli

import (
	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/ledger"
)

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
	options := storeFlags(s.redis)
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

// withStore has do work on cfg's keys, and says in a fault of Redis where it was
// sought.
func withStore(cfg *config.Config, do func(*ledger.Ledger) error) error {
	book := openStore(cfg)
	defer func() { _ = book.Close() }()
	return storeError(do(book), cfg)
}
