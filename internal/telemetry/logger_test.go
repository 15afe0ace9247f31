package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "Info": slog.LevelInfo, "WARN": slog.LevelWarn, "Error": slog.LevelError, "fatal": slog.LevelError + 4,
	}
	for name, level := range levels {
		var out bytes.Buffer
		logger, err := NewLogger(&out, name, "console", ColourOff)
		if err != nil {
			t.Fatal(err)
		}
		logger.Log(t.Context(), level-1, "below")
		logger.Log(t.Context(), level, "at the level")
		if strings.Contains(out.String(), "below") || !strings.Contains(out.String(), "at the level") {
			t.Errorf("%s: %q", name, out.String())
		}
	}
	if _, err := NewLogger(&bytes.Buffer{}, "loud", "console", ColourOff); err == nil {
		t.Error("an unknown level was taken")
	}
}

func TestFormatsAndColour(t *testing.T) {
	line := func(format string, colour Colour) string {
		var out bytes.Buffer
		logger, err := NewLogger(&out, "info", format, colour)
		if err != nil {
			t.Fatal(err)
		}
		logger.Info("hello", "status", 200)
		return out.String()
	}
	t.Setenv("NO_COLOR", "")
	if got := line("console", ColourOff); !strings.HasSuffix(got, " INFO hello status=200\n") {
		t.Errorf("console: %q", got)
	}
	if got := line("console", ColourAuto); strings.Contains(got, "\x1b[") {
		t.Errorf("coloured where there is no terminal: %q", got)
	}
	if got := line("console", ColourOn); !strings.Contains(got, "\x1b[") {
		t.Errorf("not coloured: %q", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := line("console", ColourOn); strings.Contains(got, "\x1b[") {
		t.Errorf("coloured in spite of NO_COLOR: %q", got)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(line("json", ColourOn)), &fields); err != nil {
		t.Fatal(err)
	}
	if fields["level"] != "info" || fields["msg"] != "hello" || fields["status"] != 200.0 || fields["time"] == "" {
		t.Errorf("json: %v", fields)
	}
}
