// Package duration reads and writes durations as operators type them: in Go's syntax
// (1h30m, 250ms), optionally with whole days in front (30d, 1d12h). A day is 24 hours.
//
// The configuration, the command line and records use it, so that a duration has the same
// form everywhere.
package duration

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Day is 24 hours, whatever the calendar says.
const Day = 24 * time.Hour

// Parse reads a duration: what [time.ParseDuration] reads, optionally after a whole number
// of days, as in 1d12h. A duration with days has no sign. The error quotes the text and
// says what is expected.
func Parse(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	number, rest, found := strings.Cut(text, "d")
	days, err := strconv.ParseUint(number, 10, 32)
	if !found || err != nil || days > uint64(math.MaxInt64/Day) {
		return 0, wrong(text)
	}
	sum := time.Duration(days) * Day
	if rest == "" {
		return sum, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest[:1], "+-") || more > math.MaxInt64-sum {
		return 0, wrong(text)
	}
	return sum + more, nil
}

func wrong(text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return fmt.Errorf("must be a duration such as 7d, 36h or 1d12h, not %.40q, which has no unit", text)
	}
	return fmt.Errorf("must be a duration such as 7d, 36h or 1d12h, not %.40q", text)
}

// Format writes d in the shortest form that [Parse] reads back: 30d, 36h, 1h30m, 1m,
// 250ms. It uses days from two days on.
func Format(d time.Duration) string {
	if d < 2*Day {
		return clock(d)
	}
	days := strconv.FormatInt(int64(d/Day), 10) + "d"
	if d%Day == 0 {
		return days
	}
	return days + clock(d%Day)
}

// clock returns Go's form without trailing zeros.
func clock(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}

// Flag makes a [time.Duration] the value of a flag: (*Flag)(&d). It implements
// pflag.Value.
type Flag time.Duration

// Set reads the flag's text with [Parse].
func (f *Flag) Set(text string) error {
	d, err := Parse(text)
	if err == nil {
		*f = Flag(d)
	}
	return err
}

// String returns the value as [Format] writes it, but "0" for zero, a default that a
// command's help omits.
func (f *Flag) String() string {
	if *f == 0 {
		return "0"
	}
	return Format(time.Duration(*f))
}

// Type returns the name of the type in a command's help.
func (*Flag) Type() string { return "duration" }
