package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/ledger"
)

func (a *app) limitsCommand() *cobra.Command {
	s := &store{}
	cmd := group(&cobra.Command{
		Use:   "limits",
		Short: "Show and reset what keys have used of their limits",
		Example: `  tykctl limits show KlL1cH2sQpuaxBvV2w9Tjg --watch
  tykctl limits top`,
	})
	s.flags(cmd)
	cmd.AddCommand(a.limitsShowCommand(s), a.limitsResetCommand(s), a.limitsTopCommand(s))
	return cmd
}

func (a *app) limitsShowCommand(s *store) *cobra.Command {
	var output string
	var watching bool
	cmd := &cobra.Command{
		Use:   "show {api_key | jwt | -}",
		Short: "Show what a key has used of its limit",
		Long: `Shows a key's limit and how it stands under it now: what it has used, what is
left, when that begins anew, and how many requests were refused in this window.
It takes nothing from the limit. The key may be named by a JWT, whose signature
and time are not asked for, and - reads it from stdin.

With --watch it shows that anew each second, until Ctrl-C: drawn in place on a
terminal, a line each second elsewhere.

Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 no such key, 4 Redis unreachable.`,
		Example: `  tykctl limits show KlL1cH2sQpuaxBvV2w9Tjg --watch
  tykctl limits show "$JWT" -o json`,
		Args:              oneArg("an api_key or a JWT"),
		ValidArgsFunction: a.completeKey,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return usage(cmd, err)
			}
			who, err := a.readKey(args[0])
			if err != nil {
				return err
			}
			return a.withKeys(s, func(book *ledger.Ledger, _ *config.Config) error {
				look := func(ctx context.Context) (usageReport, error) { return lookAt(ctx, book, who.apiKey) }
				if watching {
					return a.watch(cmd.Context(), look, output)
				}
				u, err := look(cmd.Context())
				if err != nil {
					return err
				}
				return a.printUsage(u, output)
			})
		},
	}
	cmd.Flags().BoolVarP(&watching, "watch", "w", false, "show it anew each second")
	outputFlag(cmd, &output)
	return cmd
}

func (a *app) printUsage(u usageReport, output string) error {
	if output == "json" {
		return writeJSON(a.out, u)
	}
	for _, line := range u.lines() {
		fmt.Fprintln(a.out, line)
	}
	return nil
}

func (a *app) limitsResetCommand(s *store) *cobra.Command {
	return &cobra.Command{
		Use:   "reset {api_key | jwt | -}",
		Short: "Give a key back what it has used of its limit",
		Long: `Forgets what a key has used, and what was refused to it, in the current window:
its next request is served as if the window had only begun; a gateway that is
refusing the key just then notices within a second. The key may be named by a
JWT, which must be signed with the secret of the configuration, and - reads it
from stdin.

Exit codes: 0 reset, 1 failed, 2 wrong usage, 3 no such key, or not a valid JWT,
4 Redis unreachable.`,
		Example: `  tykctl limits reset KlL1cH2sQpuaxBvV2w9Tjg
  tykctl limits reset "$JWT" --redis redis.internal:6379`,
		Args:              oneArg("an api_key or a JWT"),
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
				rec, err := usable(cmd.Context(), book, who.apiKey)
				if err != nil {
					return err
				}
				if err := book.Reset(cmd.Context(), who.apiKey, rec.Limit); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s has all of its limit again: %d in %s\n",
					who.apiKey, rec.Limit.Permits, seconds(int64(rec.Limit.Window/time.Second)))
				return nil
			})
		},
	}
}

// maxTop bounds -n, and so what a walk over all keys holds in memory.
const maxTop = 1000

func (a *app) limitsTopCommand(s *store) *cobra.Command {
	var output string
	var n int
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the keys that are nearest their limits now",
		Long: `Shows the keys of which the least is left, and of those that have nothing left
the most refused first. Keys that asked for nothing in their window are not shown.
A key whose counter in Redis is none is shown behind the others, with what to do;
with -o json it is {"api_key","problem"}.

All records are looked at, in small steps between which Redis serves others.

Exit codes: 0 fine, 1 failed, 2 wrong usage, 4 Redis unreachable.`,
		Example: `  tykctl limits top
  tykctl limits top -n 3 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return usage(cmd, err)
			}
			if n < 1 || n > maxTop {
				return usage(cmd, fmt.Errorf("-n must be from 1 to %d, not %d", maxTop, n))
			}
			return a.withAllKeys(s, func(book *ledger.Ledger, _ *config.Config) error {
				busiest, err := book.Busiest(cmd.Context(), n)
				if err != nil {
					return err
				}
				return a.printBusiest(busiest, output)
			})
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 10, "how many keys to show")
	completeFlag(cmd, "number")
	outputFlag(cmd, &output)
	return cmd
}

// printBusiest prints the keys in their order, and those behind them whose usage
// cannot be read.
func (a *app) printBusiest(busiest []ledger.Standing, output string) error {
	all, usages, broken := []any{}, []usageReport{}, []unusable{}
	for _, b := range busiest {
		if b.Problem != nil {
			broken = append(broken, unusable{b.APIKey, b.Problem.Error()})
			all = append(all, broken[len(broken)-1])
			continue
		}
		usages = append(usages, reportUsage(b.APIKey, b.Usage))
		all = append(all, usages[len(usages)-1])
	}
	if output == "json" {
		return writeJSON(a.out, all)
	}
	s := a.sheet(a.out)
	switch {
	case len(usages) > 0:
		if err := printUsages(s, usages); err != nil {
			return err
		}
	case len(broken) == 0:
		fmt.Fprintln(a.err, "tykctl: no key has used anything of its limit in its current window")
	}
	lines := list{sheet: s}
	for _, b := range broken {
		if err := lines.add(b, fmt.Sprintf("%s  broken: %s; 'tykctl limits reset %s' begins anew", b.APIKey, b.Problem, b.APIKey)); err != nil {
			return err
		}
	}
	return nil
}

// readKey reads the name of one key.
func (a *app) readKey(arg string) (subject, error) {
	who, err := a.readSubject(arg)
	if err == nil && who.apiKey == "" {
		err = fmt.Errorf("%w: the JWT names no api_key", errNotValid)
	}
	return who, err
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
