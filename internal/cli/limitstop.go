package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/term"
)

// topEvery is the least time between two walks of --watch: each asks Redis for all
// records.
const topEvery = 2 * time.Second

type limitsTopOptions struct {
	n        int
	by       string
	watching bool
	output   string
}

func (a *Program) limitsTopCommand(s *store) *cobra.Command {
	o := &limitsTopOptions{by: "near"}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the keys that are busiest now",
		Long: `Shows the keys that are busiest in their current window:

  --by near       the keys nearest their limits; of those with nothing left, the
                  most refused first
  --by refused    the keys with the most refused requests
  --by rate       the keys with the most requests a second, refused ones too

Keys that made no request in their window are left out. "suspended" in place of
a limit marks a limit of 0. KEY_HASH is what the log shows as key=….

It reads all records, in small steps; Redis keeps serving. With --watch it
updates every two seconds, or as fast as Redis answers, until Ctrl-C.

With -o json it is an array of what 'limits show' prints, with "label" if the
key has one, and with "rate" for --by rate; --watch prints one array a line.

Exit codes: 0 done, 1 failed, 2 wrong usage, 4 Redis unreachable.`,
		Example: `  tykctl limits top
  tykctl limits top --by refused --watch
  tykctl limits top -n 3 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return usage(cmd, err)
			}
			return a.limitsTop(cmd.Context(), s, o)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&o.n, "number", "n", 10, "how many keys to show")
	textFlag(f, &o.by, "by", "order", "near, refused or rate")
	f.BoolVarP(&o.watching, "watch", "w", false, "keep updating")
	completeFlag(cmd, "number")
	completeFlag(cmd, "by", "near", "refused", "rate")
	outputFlag(cmd, &o.output)
	return cmd
}

func (o *limitsTopOptions) check() error {
	if o.n < 1 || o.n > desk.MaxTop {
		return fmt.Errorf("-n must be from 1 to %d, not %d", desk.MaxTop, o.n)
	}
	if !desk.KnownOrder(o.by) {
		return fmt.Errorf("--by must be near, refused or rate, not %q", o.by)
	}
	return checkOutput(o.output)
}

func (a *Program) limitsTop(ctx context.Context, s *store, o *limitsTopOptions) error {
	return a.withAllKeys(s, func(book *registry.Registry, cfg *config.Config) error {
		see := func(ctx context.Context) (desk.TopList, error) {
			list, err := desk.Top(ctx, book, o.n, o.by)
			return list, storeError(err, cfg)
		}
		if o.watching {
			return watch(ctx, a, look[desk.TopList]{
				every: topEvery, see: see, draw: o.draw,
				text: func(list desk.TopList) error {
					if _, err := fmt.Fprintln(a.Out, time.Now().Format(time.TimeOnly)); err != nil {
						return err
					}
					return printTop(list, a.sheet(a.Out), o.by == "rate")
				},
			}, o.output)
		}
		list, err := see(ctx)
		switch {
		case err != nil:
			return err
		case o.output == "json":
			return term.WriteJSON(a.Out, list)
		case len(list.Usages)+len(list.Broken) == 0:
			fmt.Fprintln(a.Err, "tykctl: "+noneBusy)
			return nil
		}
		return printTop(list, a.sheet(a.Out), o.by == "rate")
	})
}

const noneBusy = "no key has used anything of its limit in its current window"

func printTop(l desk.TopList, s *term.Sheet, withRate bool) error {
	if len(l.Usages) > 0 {
		if err := printUsages(s, l.Usages, withRate); err != nil {
			return err
		}
	}
	lines := term.List{Sheet: s}
	for _, b := range l.Broken {
		if err := lines.Add(b, fmt.Sprintf("%s  %s  broken: %s; 'tykctl limits reset %s' starts it anew", b.APIKey, b.KeyHash, b.Problem, b.APIKey)); err != nil {
			return err
		}
	}
	return nil
}

// draw fits the list into a terminal.
func (o *limitsTopOptions) draw(list desk.TopList, trouble string, width, height int, _ bool) []string {
	var text bytes.Buffer
	_ = printTop(list, &term.Sheet{To: &text, Width: width - 1}, o.by == "rate") // a buffer never fails
	lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	if text.Len() == 0 {
		lines = []string{noneBusy}
	}
	lines = lines[:max(min(len(lines), height-2), 1)]
	lines = append(lines, term.Printable(term.StatusLine(trouble)))
	for i, line := range lines {
		lines[i] = term.Cut(line, max(width-1, 1))
	}
	return lines[:max(min(len(lines), height-1), 1)]
}
