// Package telemetry contains what the gateway reports to its operators: metrics for
// Prometheus, and the log.
//
// Labels come from closed sets: never a key, a path or an address.
package telemetry

import (
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/charmbracelet/log"
	"github.com/muesli/termenv"
	"golang.org/x/term"
)

// Colour says whether the console log uses colours.
type Colour string

// Colour's values.
const (
	ColourAuto  Colour = "auto" // on a terminal, unless NO_COLOR is set
	ColourOn    Colour = "true"
	ColourOff   Colour = "false"
	jsonFormat         = "json"
	consoleTime        = "15:04:05.000"
)

// NewLogger makes the program's log. level is debug, info, warn, error or fatal; any
// other is an error. format is json, or console for any other value. If w is a [Queue],
// the log reports dropped lines, and a terminal counts if the queue writes to it.
func NewLogger(w io.Writer, level, format string, colour Colour) (*slog.Logger, error) {
	threshold, err := log.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	queue, ok := w.(*Queue)
	if !ok {
		return slog.New(newHandler(&serial{w: w}, w, threshold, format, colour)), nil
	}
	notes := slog.New(newHandler(&queue.notes, queue.to, threshold, format, colour))
	queue.remark = func(lines int) {
		notes.Warn("log lines were dropped here: they could not be written in time", "lines", lines)
	}
	return slog.New(newHandler(queue, queue.to, threshold, format, colour)), nil
}

// newHandler makes a handler that writes to w, and formats for end, where the lines
// finally go.
func newHandler(w, end io.Writer, threshold log.Level, format string, colour Colour) slog.Handler {
	if format == jsonFormat {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.Level(threshold), ReplaceAttr: lowerLevel})
	}
	opts := log.Options{Level: threshold, ReportTimestamp: true, TimeFormat: consoleTime}
	// The struct hides w's type from the logger, which would ask a terminal for its
	// colours and wait ten seconds for one that does not answer.
	logger := log.NewWithOptions(struct{ io.Writer }{w}, opts)
	profile := colour.profile(end)
	logger.SetColorProfile(profile)
	file, ok := end.(*os.File)
	return &requestHandler{
		Handler: logger, w: w, colour: profile != termenv.Ascii,
		terminal: ok && term.IsTerminal(int(file.Fd())),
	}
}

// lowerLevel writes levels in lower case, as the configuration does.
func lowerLevel(groups []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
		a.Value = slog.StringValue(log.Level(level).String())
	}
	return a
}

// serial serializes writes.
type serial struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// profile returns the colours for a console log that ends in w.
func (c Colour) profile(w io.Writer) termenv.Profile {
	switch {
	case c == ColourOn && !termenv.EnvNoColor():
		return termenv.ANSI256
	case c == ColourAuto:
		return termenv.NewOutput(w).EnvColorProfile()
	}
	return termenv.Ascii
}
