package cli

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/term"
)

// usageLines is the report for people, a line to each figure.
func usageLines(u desk.Standing) []string {
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

// usageLine is the report in one line, for a log.
func usageLine(u desk.Standing) string {
	if u.Limit == 0 {
		return fmt.Sprintf("suspended, used %d, refused %d", u.Used, u.Refused)
	}
	return fmt.Sprintf("used %d of %d, %d left, resets in %s, refused %d",
		u.Used, u.Limit, u.Remaining, seconds(u.ResetsIn), u.Refused)
}

// printUsages is a table of several keys, or a line for each where it has no room.
func printUsages(s *term.Sheet, usages []desk.Standing, withRate bool) error {
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
		row(fmt.Sprintf("%.1f/s", u.Rate), u.Label, u.APIKey, u.KeyHash, u.Used, limitText(u), u.Remaining, seconds(u.ResetsIn), u.Refused)
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
		line := u.APIKey + "  " + u.KeyHash + "  " + usageLine(u)
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

func limitText(u desk.Standing) string {
	if u.Limit == 0 {
		return suspended
	}
	return fmt.Sprint(u.Limit)
}

// seconds is a number of seconds as people write it: 42s, 1h30m, 30d.
func seconds(n int64) string { return duration.Format(time.Duration(n) * time.Second) }
