package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tykctl/tykctl/internal/duration"
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
}

func reportUsage(apiKey string, u ratelimit.Usage) usageReport {
	return usageReport{
		APIKey: apiKey, Algorithm: algorithmOf(u.Limit),
		Limit: u.Limit.Permits, Window: int64(u.Limit.Window / time.Second),
		Used: u.Used, Remaining: u.Remaining, Refused: u.Refused,
		ResetsIn: int64((u.Reset + time.Second - 1) / time.Second),
		Burst:    u.Limit.Burst, MaxDelay: u.Limit.MaxDelay.Seconds(),
	}
}

// algorithmOf names a limit's algorithm, also the one that needs no name.
func algorithmOf(l ratelimit.Limit) string {
	return string(cmp.Or(l.Algorithm, ratelimit.FixedWindow))
}

// lines is the report for people, a line to each figure.
func (u usageReport) lines() []string {
	limit := fmt.Sprintf("%d in %s", u.Limit, seconds(u.Window))
	if u.Burst > 0 {
		limit += fmt.Sprintf(", burst %d", u.Burst)
	}
	if u.MaxDelay > 0 {
		limit += fmt.Sprintf(", held back up to %gs", u.MaxDelay)
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
	return fmt.Sprintf("used %d of %d, %d left, resets in %s, refused %d",
		u.Used, u.Limit, u.Remaining, seconds(u.ResetsIn), u.Refused)
}

// printUsages is a table of several keys, or a line for each where it has no room.
func printUsages(s *sheet, usages []usageReport) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "API_KEY\tUSED\tLIMIT\tREMAINING\tRESETS IN\tREFUSED")
	for _, u := range usages {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%d\n", u.APIKey, u.Used, u.Limit, u.Remaining, seconds(u.ResetsIn), u.Refused)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	longest := 0
	for line := range strings.Lines(text.String()) {
		longest = max(longest, len(line)-len("\n"))
	}
	if s.width == 0 || longest <= s.width {
		_, err := s.w.Write(text.Bytes())
		return err
	}
	lines := list{sheet: s}
	for _, u := range usages {
		if err := lines.add(u, u.APIKey+"  "+u.line()); err != nil {
			return err
		}
	}
	return nil
}

// seconds is a number of seconds as people say it: 42s, 1h30m, 30d.
func seconds(n int64) string { return duration.Format(time.Duration(n) * time.Second) }
