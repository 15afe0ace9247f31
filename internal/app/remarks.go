package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// Remarks takes the Redis client's own remarks to the gateway's log, once there
// is one. They repeat what the callers' errors say, so they are of use only when
// someone is looking closely.
type Remarks struct{ to atomic.Pointer[slog.Logger] }

// Printf logs a remark of the client at Debug.
func (r *Remarks) Printf(ctx context.Context, format string, v ...any) {
	if logger := r.to.Load(); logger != nil && logger.Enabled(ctx, slog.LevelDebug) {
		logger.DebugContext(ctx, "redis client", "remark", fmt.Sprintf(format, v...))
	}
}
