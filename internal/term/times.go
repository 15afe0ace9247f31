package term

import (
	"fmt"
	"time"

	"github.com/tykctl/tykctl/internal/duration"
)

const day = duration.Day

// Moment shows a time as people here read it: 2026-11-24 23:00:00 +0100 (in 3 h).
func Moment(t, now time.Time) string {
	return fmt.Sprintf("%s (%s)", t.Local().Format("2006-01-02 15:04:05 -0700"), Relative(t.Sub(now)))
}

// Relative says roughly how far off a time is: the exact time stands beside it.
func Relative(d time.Duration) string {
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
