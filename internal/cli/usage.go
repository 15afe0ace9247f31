package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/term"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// usageReport is how a key stands under its limit. Its JSON form is fixed for
// scripts; times are in seconds.
type usageReport struct {
	APIKey    string  `json:"api_key"`
	Algorithm string  `json:"algorithm"`
	Limit     int64   `json:"limit"`
	Window    int64   `json:"window"`
	Used      int64   `json:"used"`
	Remaining int64   `json:"remaining"`
	ResetsIn  int64   `json:"resets_in"` // rounded up: then the window is over
	Refused   int64   `json:"refused"`
	Burst     int64   `json:"burst,omitempty"`     // if the record or the configuration names one
	MaxDelay  float64 `json:"max_delay,omitempty"` // of a leaky bucket
	KeyHash   string  `json:"key_hash"`            // as in the log
	Label     string  `json:"label,omitempty"`     // in limits top
	Rate      float64 `json:"rate,omitempty"`      // requests a second, in limits top --by rate
}

func reportUsage(apiKey string, u ratelimit.Usage) usageReport {
	return usageReport{
		APIKey: apiKey, Algorithm: algorithmOf(u.Limit),
		Limit: u.Limit.Permits, Window: int64(u.Limit.Window / time.Second),
		Used: u.Used, Remaining: u.Remaining, Refused: u.Refused,
		ResetsIn: int64((u.Reset + time.Second - 1) / time.Second),
		Burst:    u.Limit.Burst, MaxDelay: u.Limit.MaxDelay.Seconds(),
		KeyHash: ledger.KeyHash(apiKey),
	}
}

// algorithmOf names a limit's algorithm, also the one that needs no name.
func algorithmOf(l ratelimit.Limit) string {
	return string(cmp.Or(l.Algorithm, ratelimit.FixedWindow))
}

// lines is the report for people, a line to each figure.
func (u usageReport) lines() []string {
	limit := fmt.Sprintf("%d in %s", u.Limit, seconds(u.Window))
	if u.Limit == 0 {
		limit += " (suspended)"
	}
	if u.Burst > 0 {
		limit += fmt.Sprintf(", burst %d", u.Burst)
	}
	if u.MaxDelay > 0 {
		limit += fmt.Sprintf(", delayed up to %gs", u.MaxDelay)
	}
	return []string{
		"api_key:    " + u.APIKey,
		"algorithm:  " + u.Algorithm,
		"limit:      " + limit,
		fmt.Sprintf("used:       %d", u.Used),
		fmt.Sprintf("remaining:  %d", u.Remaining),
		"resets in:  " + seconds(u.ResetsIn),
		fmt.Sprintf("refused:    %d", u.Refused),
	}
}

// line is the report in one line, for a log.
func (u usageReport) line() string {
	if u.Limit == 0 {
		return fmt.Sprintf("suspended, used %d, refused %d", u.Used, u.Refused)
	}
	return fmt.Sprintf("used %d of %d, %d left, resets in %s, refused %d",
		u.Used, u.Limit, u.Remaining, seconds(u.ResetsIn), u.Refused)
}

// printUsages is a table of several keys, or a line for each where it has no room.
func printUsages(s *term.Sheet, usages []usageReport, withRate bool) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(rate, label string, columns ...any) {
		line := fmt.Sprintf("%s\t%s\t%v\t%v\t%v\t%s\t%v", columns...)
		if withRate {
			line += "\t" + rate
		}
		fmt.Fprintln(table, line+"\t"+term.Printable(label))
	}
	row("RATE", "LABEL", "API_KEY", "KEY_HASH", "USED", "LIMIT", "LEFT", "RESETS", "REFUSED")
	for _, u := range usages {
		row(fmt.Sprintf("%.1f/s", u.Rate), u.Label, u.APIKey, u.KeyHash, u.Used, u.limitText(), u.Remaining, seconds(u.ResetsIn), u.Refused)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	// The label is the last column, and may be cut.
	needed := strings.Index(lines[0], "  LABEL")
	if s.Width == 0 || needed <= s.Width {
		for _, line := range lines {
			line = strings.TrimRight(line, " ")
			if s.Width > 0 {
				line = term.Cut(line, s.Width)
			}
			s.Line(line)
		}
		return s.Err
	}
	list := term.List{Sheet: s}
	for _, u := range usages {
		line := u.APIKey + "  " + u.KeyHash + "  " + u.line()
		if withRate {
			line += fmt.Sprintf(", %.1f/s", u.Rate)
		}
		if u.Label != "" {
			line += "  # " + u.Label
		}
		if err := list.Add(u, line); err != nil {
			return err
		}
	}
	return nil
}

// suspended stands for a limit of 0.
const suspended = "suspended"

func (u usageReport) limitText() string {
	if u.Limit == 0 {
		return suspended
	}
	return fmt.Sprint(u.Limit)
}

// seconds is a number of seconds as people write it: 42s, 1h30m, 30d.
func seconds(n int64) string { return duration.Format(time.Duration(n) * time.Second) }
