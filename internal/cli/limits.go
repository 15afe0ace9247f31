package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/term"
)

func (a *Program) limitsCommand() *cobra.Command {
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

func (a *Program) limitsShowCommand(s *store) *cobra.Command {
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
			return a.withKeys(s, func(book *registry.Registry, cfg *config.Config) error {
				if err := a.resolveOne(cmd.Context(), s, book, &who); err != nil {
					return err
				}
				see := func(ctx context.Context) (desk.Standing, error) {
					u, err := desk.Look(ctx, book, who.APIKey)
					return u, storeError(err, cfg)
				}
				if watching {
					return watch(cmd.Context(), a, look[desk.Standing]{
						every: time.Second, see: see, draw: drawUsage,
						text: func(u desk.Standing) error {
							_, err := fmt.Fprintf(a.Out, "%s  %s\n", time.Now().Format(time.TimeOnly), usageLine(u))
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
func drawUsage(u desk.Standing, trouble string, width, height int, colour bool) []string {
	return frame{u, trouble}.draw(width, height, colour)
}

func (a *Program) printUsage(u desk.Standing, output string) error {
	if output == "json" {
		return term.WriteJSON(a.Out, u)
	}
	for _, line := range usageLines(u) {
		fmt.Fprintln(a.Out, line)
	}
	return nil
}

func (a *Program) limitsResetCommand(s *store) *cobra.Command {
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
			return a.withKeys(s, func(book *registry.Registry, cfg *config.Config) error {
				if err := checkSubject(who, cfg); err != nil {
					return err
				}
				if err := a.resolveOne(cmd.Context(), s, book, &who); err != nil {
					return err
				}
				limit, err := desk.Reset(cmd.Context(), book, who.APIKey)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.Out, "%s has all of its limit again: %d in %s\n", who.APIKey, limit.Permits, duration.Format(limit.Window))
				return nil
			})
		},
	}
}
