package cli

import (
	"log/slog"
	"time"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/ledger"
)

// storeWait is how long an operator's command waits for Redis.
const storeWait = 1500 * time.Millisecond

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
