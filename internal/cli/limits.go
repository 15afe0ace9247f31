package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/term"
)

func (a *app) limitsCommand() *cobra.Command {
	s := &store{}
	cmd := group(&cobra.Command{
		Use:   "limits",
		Short: "Show and reset what keys have used of their limits",
		Example: `  tykctl limits show KlL1cH2sQpuaxBvV2w9Tjg --watch
  tykctl limits top --by refused`,
	})
	s.flags(cmd)
	s.searchFlag(cmd)
	cmd.AddCommand(a.limitsShowCommand(s), a.limitsResetCommand(s), a.limitsTopCommand(s))
	return cmd
}

func (a *app) limitsShowCommand(s *store) *cobra.Command {
	var output string
	var watching bool
	cmd := &cobra.Command{
		Use:   "show {api_key | jwt | hash | -}",
		Short: "Show what a key has used of its limit",
		Long: `Shows a key's limit, what the key has used of it, what is left, when the limit
starts afresh, and how many requests were refused in this window. It takes no
permit.

The key is named by its api_key, by a JWT (nobody checks its signature), or by
the hash that the log shows as key=…; - reads any of these from stdin.

With --watch it updates every second until Ctrl-C: in place on a terminal, as a
new line elsewhere.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such key, 4 Redis unreachable.`,
		Example: `  tykctl limits show KlL1cH2sQpuaxBvV2w9Tjg --watch
  tykctl limits show "$JWT" -o json
  tykctl limits show 17a15a23a425`,
		Args:              oneArg("one api_key, JWT or hash"),
		ValidArgsFunction: a.completeKey,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return usage(cmd, err)
			}
			who, err := a.readKey(args[0])
			if err != nil {
				return err
			}
			return a.withKeys(s, func(book *ledger.Ledger, cfg *config.Config) error {
				if err := a.resolveOne(cmd.Context(), s, book, &who); err != nil {
					return err
				}
				see := func(ctx context.Context) (usageReport, error) {
					u, err := lookAt(ctx, book, who.apiKey)
					return u, storeError(err, cfg)
				}
				if watching {
					return watch(cmd.Context(), a, look[usageReport]{
						every: time.Second, see: see, draw: drawUsage,
						text: func(u usageReport) error {
							_, err := fmt.Fprintf(a.out, "%s  %s\n", time.Now().Format(time.TimeOnly), u.line())
							return err
						},
					}, output)
				}
				u, err := see(cmd.Context())
				if err != nil {
					return err
				}
				return a.printUsage(u, output)
			})
		},
	}
	cmd.Flags().BoolVarP(&watching, "watch", "w", false, "update every second")
	outputFlag(cmd, &output)
	return cmd
}

// drawUsage draws how one key stands.
func drawUsage(u usageReport, trouble string, width, height int, colour bool) []string {
	return frame{u, trouble}.draw(width, height, colour)
}

func (a *app) printUsage(u usageReport, output string) error {
	if output == "json" {
		return term.WriteJSON(a.out, u)
	}
	for _, line := range u.lines() {
		fmt.Fprintln(a.out, line)
	}
	return nil
}

func (a *app) limitsResetCommand(s *store) *cobra.Command {
	return &cobra.Command{
		Use:   "reset {api_key | jwt | hash | -}",
		Short: "Give a key back what it has used of its limit",
		Long: `Forgets what a key has used in the current window, and what was refused to it.
The key has all of its limit again with its next request; a gateway that is just
refusing the key notices within a second.

The key is named by its api_key, by a JWT signed by the configuration's secret
or keys, or by the hash that the log shows as key=…; - reads any of these from
stdin.

Exit codes: 0 reset, 1 failed, 2 wrong usage, 3 no such key, or not a valid JWT,
4 Redis unreachable.`,
		Example: `  tykctl limits reset KlL1cH2sQpuaxBvV2w9Tjg
  tykctl limits reset "$JWT" --redis redis.internal:6379`,
		Args:              oneArg("one api_key, JWT or hash"),
		ValidArgsFunction: a.completeKey,
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := a.readKey(args[0])
			if err != nil {
				return err
			}
			return a.withKeys(s, func(book *ledger.Ledger, cfg *config.Config) error {
				if who.jwt != "" {
					if err := checkSigned(who.jwt, cfg); err != nil {
						return err
					}
				}
				if err := a.resolveOne(cmd.Context(), s, book, &who); err != nil {
					return err
				}
				rec, err := usable(cmd.Context(), book, who.apiKey)
				if err != nil {
					return err
				}
				if err := book.Reset(cmd.Context(), who.apiKey, rec.Limit); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s has all of its limit again: %d in %s\n",
					who.apiKey, rec.Limit.Permits, duration.Format(rec.Limit.Window))
				return nil
			})
		},
	}
}

// lookAt tells how a key stands under the limit that its record sets now.
func lookAt(ctx context.Context, book *ledger.Ledger, apiKey string) (usageReport, error) {
	rec, err := usable(ctx, book, apiKey)
	if err != nil {
		return usageReport{}, err
	}
	u, err := book.Usage(ctx, apiKey, rec.Limit)
	return reportUsage(apiKey, u), err
}

// usable is the key's record, or why there is none that could be used.
func usable(ctx context.Context, book *ledger.Ledger, apiKey string) (*ledger.Record, error) {
	entry, err := book.Lookup(ctx, apiKey)
	if err != nil {
		return nil, err
	}
	return entry.Record, entry.Problem
}
