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
// and fatal, format json or console. Unknown values are errors.
func NewLogger(w io.Writer, level, format string, colour Colour) (*slog.Logger, error) {
	threshold, err := log.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	opts := log.Options{Level: threshold, ReportTimestamp: true, TimeFormat: consoleTime}
	if format == jsonFormat {
		opts.Formatter, opts.TimeFormat = log.JSONFormatter, time.RFC3339Nano
	}
	// Hidden from the logger, which would ask a terminal for its colours and wait ten
	// seconds for one that does not answer.
	logger := log.NewWithOptions(struct{ io.Writer }{w}, opts)
	switch colour {
	case ColourOff:
		logger.SetColorProfile(termenv.Ascii)
	case ColourOn:
		if !termenv.EnvNoColor() {
			logger.SetColorProfile(termenv.ANSI256)
		}
	case ColourAuto:
		logger.SetColorProfile(termenv.NewOutput(w).EnvColorProfile())
	}
	return slog.New(logger), nil
}
