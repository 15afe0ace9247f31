// Package telemetry holds what the gateway tells its operators: metrics for
// Prometheus, and the set-up of the log.
//
// Labels come from closed sets; a key, a path or an address is never one.
package telemetry

import (
	"io"
	"log/slog"
	"time"

	"github.com/charmbracelet/log"
	"github.com/muesli/termenv"
)

// Colour says whether the console log is coloured.
type Colour string

// Colour's values.
const (
	ColourAuto  Colour = "auto" // on a terminal, unless NO_COLOR is set
	ColourOn    Colour = "true"
	ColourOff   Colour = "false"
	jsonFormat         = "json"
	consoleTime        = "15:04:05.000"
)

// NewLogger makes the program's log: level is one of debug, info, warn, error
// and fatal, format json or console. Unknown values are errors. Behind a [Queue] the
// log says itself when lines were dropped, and a terminal is looked for beyond it.
func NewLogger(w io.Writer, level, format string, colour Colour) (*slog.Logger, error) {
	threshold, err := log.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	queue, ok := w.(*Queue)
	if !ok {
		return slog.New(newHandler(w, w, threshold, format, colour)), nil
	}
	notes := slog.New(newHandler(&queue.notes, queue.to, threshold, format, colour))
	queue.remark = func(lines int) {
		notes.Warn("log lines are missing here: they could not be written in time", "lines", lines)
	}
	return slog.New(newHandler(queue, queue.to, threshold, format, colour)), nil
}

// newHandler makes what formats records and writes them to w, for end to show.
func newHandler(w, end io.Writer, threshold log.Level, format string, colour Colour) slog.Handler {
	opts := log.Options{Level: threshold, ReportTimestamp: true, TimeFormat: consoleTime}
	if format == jsonFormat {
		opts.Formatter, opts.TimeFormat = log.JSONFormatter, time.RFC3339Nano
	}
	// Hidden from the logger, which would ask a terminal for its colours and wait ten
	// seconds for one that does not answer.
	logger := log.NewWithOptions(struct{ io.Writer }{w}, opts)
	profile := colour.profile(end)
	logger.SetColorProfile(profile)
	return logger
}

// profile is how the console log is coloured that ends in w.
func (c Colour) profile(w io.Writer) termenv.Profile {
	switch {
	case c == ColourOn && !termenv.EnvNoColor():
		return termenv.ANSI256
	case c == ColourAuto:
		return termenv.NewOutput(w).EnvColorProfile()
	}
	return termenv.Ascii
}
