package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/tykctl/tykctl/internal/gateway"
)

// AccessLog writes one line for each request. Faults of the store and of the
// backend are warnings; what a client did wrong is not.
func AccessLog(logger *slog.Logger) func(gateway.Exchange) {
	return func(x gateway.Exchange) {
		level := slog.LevelInfo
		if x.Status >= 500 {
			level = slog.LevelWarn
		}
		if !logger.Enabled(context.Background(), level) {
			return
		}
		attrs := make([]slog.Attr, 0, 13)
		attrs = append(attrs,
			slog.Int("status", x.Status),
			slog.String("reason", string(x.Reason)),
			slog.String("method", x.Request.Method),
			slog.String("path", x.Request.Path),
			slog.String("client", x.Request.Client.String()),
			slog.String("request_id", x.Request.ID),
		)
		if x.KeyHash != "" {
			attrs = append(attrs, slog.String("key", x.KeyHash))
		}
		attrs = append(attrs,
			slog.Float64("ours_ms", milliseconds(x.Overhead())),
			slog.Float64("upstream_ms", milliseconds(x.Upstream)),
			slog.Float64("redis_ms", milliseconds(x.Redis)),
			slog.Int64("bytes", x.Sent),
		)
		if x.Delayed > 0 {
			attrs = append(attrs, slog.Float64("delayed_ms", milliseconds(x.Delayed)))
		}
		if x.Err != nil {
			attrs = append(attrs, slog.String("err", x.Err.Error()))
		}
		logger.LogAttrs(context.Background(), level, "request", attrs...)
	}
}

// milliseconds keeps microseconds, in one unit so that lines can be compared.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
