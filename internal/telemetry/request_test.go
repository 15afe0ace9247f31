package telemetry

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/log"
)

// fields are those of a request, in the access log's order, with others in their place.
func fields(other ...any) []slog.Attr {
	all := []slog.Attr{
		slog.Int("status", 200), slog.String("reason", "ok"), slog.String("method", "GET"), slog.String("path", "/api/v1/test"),
		slog.String("client", "127.0.0.1"), slog.String("request_id", "FV3O2CVPHFMKATUAEIZWRLPJGW"), slog.String("key", "102a7df6be2e"),
		slog.Float64("ours_ms", 0.07), slog.Float64("upstream_ms", 12), slog.Float64("redis_ms", 0.396),
		slog.Int64("bytes", 241), slog.String("user_agent", "curl/8"),
	}
	r := slog.NewRecord(time.Time{}, 0, "", 0)
	r.Add(other...)
	r.Attrs(func(a slog.Attr) bool {
		for i := range all {
			if all[i].Key == a.Key {
				all[i] = a
				return true
			}
		}
		all = append(all, a)
		return true
	})
	return all
}

func TestRequestOnATerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		fields []any
		want   string
	}{
		"usual": {nil,
			"200    12.5ms 102a7df6be2e    GET /api/v1/test FV3O2CVPHFMKATUAEIZWRLPJGW"},
		"refused": {[]any{"status", 429, "reason", "rate_limited", "upstream_ms", 0.0},
			"429     0.5ms 102a7df6be2e    GET /api/v1/test rate_limited FV3O2CVPHFMKATUAEIZWRLPJGW"},
		"no key yet": {[]any{"status", 401, "reason", "missing_token", "key", "", "client", "203.0.113.255"},
			"401    12.5ms 203.0.113.255   GET /api/v1/test missing_token FV3O2CVPHFMKATUAEIZWRLPJGW"},
		"IPv6": {[]any{"key", "", "client", "2001:db8:1111:2222:3333:4444:5555:6666"},
			"200    12.5ms 2001:db8:1111:2222:3333… GET /api/v1/test FV3O2CVPHFMKATUAEIZWRLPJGW"},
		"no backend": {[]any{"status", 502, "reason", "upstream_unreachable", "err", "backend unreachable: dial tcp 127.0.0.1:3000: connect: connection refused"},
			"502    12.5ms 102a7df6be2e    GET /api/v1/test upstream_unreachable …connection refused"},
		"long path": {[]any{"path", "/" + strings.Repeat("x", 4000)},
			"200    12.5ms 102a7df6be2e    GET /" + strings.Repeat("x", 51) + "…"},
		"control characters": {[]any{"status", 500, "reason", "internal_error", "err", "a\x1b[2J\nb é"},
			`500    12.5ms 102a7df6be2e    GET /api/v1/test internal_error a\x1b[2J\nb \u00e9`},
		"everything is long": {[]any{"status", 504, "reason", "upstream_unreachable", "key", "", "client", "2001:db8:1111:2222:3333:4444:5555:6666",
			"path", "/" + strings.Repeat("x", 99), "err", strings.Repeat("y", 99), "upstream_ms", 8640000000.0}, ""},
	} {
		for _, colour := range []bool{false, true} {
			var out bytes.Buffer
			h := &requestHandler{Handler: slog.NewTextHandler(&out, nil), w: &out, terminal: true, colour: colour}
			slog.New(h).LogAttrs(t.Context(), slog.LevelInfo, RequestMessage, fields(tt.fields...)...)
			line := strings.TrimSuffix(out.String(), "\n")
			if colour {
				code := map[byte]string{'2': "32", '4': "33", '5': "31"}[line[len("15:04:05.000 \x1b[32m")]]
				if !strings.Contains(line, " \x1b["+code+"m") || strings.Count(line, "\x1b[") != 2 {
					t.Errorf("%s: not coloured by its class: %q", name, line)
				}
				line = regexp.MustCompile("\x1b\\[\\d+m").ReplaceAllString(line, "")
			}
			if got := line[len("15:04:05.000 "):]; tt.want != "" && got != tt.want {
				t.Errorf("%s:\n%s, want\n%s", name, got, tt.want)
			}
			if n := utf8.RuneCountInString(line); n > columns || strings.Contains(line, "\n") {
				t.Errorf("%s: %d columns: %q", name, n, line)
			}
		}
	}
}

// Elsewhere a request's line is as the library would write it, for much less.
func TestRequestAsFields(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.Local)
	for _, tt := range []struct {
		level  slog.Level
		fields []any
	}{
		{slog.LevelInfo, nil},
		{slog.LevelWarn, []any{"status", 502, "err", `lookup "x": no such host`, "user_agent", ""}},
		{slog.LevelInfo, []any{"path", "/a=b", "user_agent", "Mozilla/5.0 (X11; Linux)", "delayed_ms", 0.001}},
		{slog.LevelInfo, []any{"user_agent", "\x1b[31m\t é\u202e"}},
	} {
		r := slog.NewRecord(when, tt.level, RequestMessage, 0)
		r.AddAttrs(fields(tt.fields...)...)
		var ours, theirs bytes.Buffer
		logger, err := NewLogger(&ours, "info", "console", ColourOff)
		if err != nil {
			t.Fatal(err)
		}
		library := log.NewWithOptions(&theirs, log.Options{ReportTimestamp: true, TimeFormat: consoleTime})
		if err := errors.Join(logger.Handler().Handle(t.Context(), r), library.Handle(t.Context(), r)); err != nil {
			t.Fatal(err)
		}
		if ours.String() != theirs.String() {
			t.Errorf("%q, want\n%q", ours.String(), theirs.String())
		}
	}
}

// A value that would break the line, or pass for another field, is quoted.
func TestRequestCannotForgeFields(t *testing.T) {
	var out bytes.Buffer
	logger, err := NewLogger(&out, "info", "console", ColourOff)
	if err != nil {
		t.Fatal(err)
	}
	logger.LogAttrs(t.Context(), slog.LevelInfo, RequestMessage, slog.String("user_agent", "x\nstatus=200 \"y\\\""), slog.Int("bytes", 1))
	if got, want := out.String(), ` INFO request user_agent="x\nstatus=200 \"y\\\"" bytes=1`+"\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want …%q", got, want)
	}
}

// JSON lines are read by machines: their form is a contract.
func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	logger, err := NewLogger(&out, "debug", "json", ColourOff)
	if err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600))
	for level, name := range map[slog.Level]string{
		slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error", slog.LevelError + 4: "fatal",
	} {
		r := slog.NewRecord(when, level, "hello", 0)
		r.Add("status", 200, "ms", 1.5, "err", errors.New("no <b>"), "for", 3*time.Second, "ok", true, "none", nil, "ua", "\x1b\t\u2028é\xff")
		out.Reset()
		var library bytes.Buffer
		theirs := log.NewWithOptions(&library, log.Options{
			Level: log.DebugLevel, ReportTimestamp: true, TimeFormat: time.RFC3339Nano, Formatter: log.JSONFormatter,
		})
		if err := errors.Join(logger.Handler().Handle(t.Context(), r), theirs.Handle(t.Context(), r)); err != nil {
			t.Fatal(err)
		}
		want := library.String()
		if got := out.String(); got != want || !strings.HasPrefix(got, `{"time":"2026-01-02T03:04:05.678901234+01:00","level":"`+name+`"`) {
			t.Errorf("%s, want\n%s", got, want)
		}
	}
}

func TestRequestLinesAllocateLittle(t *testing.T) {
	for format, most := range map[string]float64{"json": 40, "console": 4} {
		logger, err := NewLogger(NewQueue(io.Discard), "info", format, ColourOff)
		if err != nil {
			t.Fatal(err)
		}
		attrs := fields()
		if n := testing.AllocsPerRun(1000, func() {
			logger.LogAttrs(t.Context(), slog.LevelInfo, RequestMessage, attrs...)
		}); n > most {
			t.Errorf("%s: %v allocations for each line, want at most %v", format, n, most)
		}
	}
}
