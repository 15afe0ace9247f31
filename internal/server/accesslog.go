package server

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tykctl/tykctl/internal/gateway"
	"github.com/tykctl/tykctl/internal/telemetry"
)

const message = telemetry.RequestMessage

// AccessLog writes one line for each request. Failures of Redis and of the backend are
// warnings; client errors are not.
func AccessLog(logger *slog.Logger) func(gateway.Exchange) {
	return func(x gateway.Exchange) {
		level := slog.LevelInfo
		if x.Status >= 500 {
			level = slog.LevelWarn
		}
		if !logger.Enabled(context.Background(), level) {
			return
		}
		attrs := make([]slog.Attr, 0, 17)
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
			slog.Int64("bytes_in", x.Received),
			slog.String("host", loggable(x.Host, maxHost)),
			slog.String("proto", x.Proto),
			slog.String("user_agent", loggable(x.UserAgent, maxAgent)),
		)
		if x.Delayed > 0 {
			attrs = append(attrs, slog.Float64("delayed_ms", milliseconds(x.Delayed)))
		}
		if x.Err != nil {
			attrs = append(attrs, slog.String("err", x.Err.Error()))
		}
		logger.LogAttrs(context.Background(), level, message, attrs...)
	}
}

// The longest host and user agent that are logged, in bytes before escaping.
const (
	maxHost  = 255 // of a name in DNS
	maxAgent = 256
)

// loggable returns s, cut to most bytes and marked with …, with unprintable characters
// escaped as in Go and JSON.
func loggable(s string, most int) string {
	end := ""
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s, end = s[:most], "…"
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			quoted := strconv.AppendQuote(make([]byte, 0, len(s)+16), s)
			// Quotes and backslashes are printable; the log's format handles them.
			return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(string(quoted[1:len(quoted)-1])) + end
		}
	}
	return s + end
}

// milliseconds keeps microseconds, in one unit so that lines can be compared.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
