package app

import (
	"log/slog"
	"time"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/storage"
)

// StoreWait is how long an operator's command waits for Redis.
const StoreWait = 1500 * time.Millisecond

// OpenStore fails only for TLS files that cannot be used.
func OpenStore(cfg *config.Config) (*storage.Store, error) {
	o := StoreOptions(cfg)
	o.Timeout = StoreWait
	var err error
	if o.TLS, err = storeTLS(cfg, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	return storage.Open(o), nil
}
