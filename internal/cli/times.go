package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// moment shows a time as people here read it: 2026-11-24 23:00:00 +0100 (in 3 h).
func moment(t, now time.Time) string {
	return fmt.Sprintf("%s (%s)", t.Local().Format("2006-01-02 15:04:05 -0700"), relative(t.Sub(now)))
}

// relative says roughly how far off a time is: the exact time stands beside it.
func relative(d time.Duration) string {
	switch text := span(d.Abs()); {
	case text == "0 s":
		return "now"
	case d < 0:
		return text + " ago"
	default:
		return "in " + text
	}
}

// span is d rounded to the largest unit of which there are at least two.
func span(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", day}, {"h", time.Hour}, {"min", time.Minute}} {
		if d >= 2*u.unit-time.Second {
			return fmt.Sprintf("%d %s", rounded(d, u.unit), u.name)
		}
	}
	return fmt.Sprintf("%d s", rounded(d, time.Second))
}

// rounded is d in units; unlike [time.Duration.Round] it knows no d too large.
func rounded(d, unit time.Duration) time.Duration {
	n := d / unit
	if d%unit >= unit/2 {
		n++
	}
	return n
}

// daysValue is a flag for a duration that may be counted in days: 7d, 1d12h, 36h.
type daysValue time.Duration

func (v *daysValue) Set(text string) error {
	d, err := parseDays(text)
	*v = daysValue(d)
	return err
}

func (v *daysValue) String() string {
	d := time.Duration(*v)
	switch {
	case d == 0:
		return "0" // which help does not show
	case d%day == 0 && d > day:
		return fmt.Sprintf("%dd", d/day)
	}
	return seconds(int64(d / time.Second))
}

func (*daysValue) Type() string { return "duration" }

func parseDays(text string) (time.Duration, error) {
	wrong := fmt.Errorf("must be a duration such as 7d, 36h or 1d12h, not %q", text)
	days, rest, found := strings.Cut(text, "d")
	if !found {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, wrong
		}
		return d, nil
	}
	n, err := strconv.ParseUint(days, 10, 16) // 65535 days are 179 years: no sum overflows
	if err != nil {
		return 0, wrong
	}
	sum := time.Duration(n) * day
	if rest == "" {
		return sum, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more > 24*365*time.Hour {
		return 0, wrong
	}
	return sum + more, nil
}
