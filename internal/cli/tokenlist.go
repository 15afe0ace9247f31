package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/term"
)

type tokenListOptions struct {
	label     string
	expiresIn time.Duration
	output    string
}

func (a *Program) tokenListCommand(where *store) *cobra.Command {
	o := &tokenListOptions{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys in Redis",
		Long: `Lists the keys that have a record, with their limits, ends, routes and labels,
in the order that Redis returns them. KEY_HASH is what the log shows as key=….
Redis keeps serving meanwhile.

"suspended" in place of a limit marks a limit of 0, which lets nothing in. A
record that the gateway cannot use is listed with the reason; --label and
--expires-in leave it out.

With -o json it is an array, one element a line: {"api_key","label",
"rate_limit","window","algorithm","allowed_routes","expires_at","ttl",
"key_hash"}, window and ttl in seconds, expires_at and ttl null for never; or
{"api_key","problem","key_hash"}. If Redis fails midway, what was listed stays,
the array is left open and the exit code is 4.

Exit codes: 0 listed, even if there are none, 1 failed, 2 wrong usage,
4 Redis unreachable.`,
		Example: `  tykctl token list --expires-in 7d
  tykctl token list --label acme -o json | jq -r '.[].api_key'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := checkOutput(o.output)
			if cmd.Flags().Changed("expires-in") && o.expiresIn <= 0 {
				err = errors.New("--expires-in must be above 0")
			}
			if err != nil {
				return usage(cmd, err)
			}
			return a.tokenList(cmd.Context(), where, o)
		},
	}
	f := cmd.Flags()
	textFlag(f, &o.label, "label", "text", "only keys whose label contains this; letter case does not matter")
	f.Var((*duration.Flag)(&o.expiresIn), "expires-in", "only keys that expire within this time, as in 36h or 7d")
	completeFlag(cmd, "label")
	completeFlag(cmd, "expires-in", "1d", "7d", "30d")
	outputFlag(cmd, &o.output)
	return cmd
}

// listBuffer saves writes; what is in it is at most a few hundred lines late.
const listBuffer = 32 << 10

func (a *Program) tokenList(ctx context.Context, where *store, o *tokenListOptions) error {
	wanted := desk.Filter{Label: o.label, ExpiresIn: o.expiresIn}
	return a.withAllKeys(where, func(book *registry.Registry, _ *config.Config) error {
		out, now, found, broken := bufio.NewWriterSize(a.Out, listBuffer), time.Now(), 0, 0
		sheet := a.sheet(out)
		array := &term.List{Sheet: sheet, JSON: true}
		rows := &term.Table{Sheet: sheet, Header: []string{"API_KEY", "KEY_HASH", "LIMIT", "EXPIRES", "ROUTES  # LABEL"}}
		err := book.List(ctx, func(e registry.Entry) error {
			if !wanted.Wants(e, now) {
				return nil
			}
			found++
			if e.Record == nil {
				broken++
			}
			if o.output == "json" {
				return array.Add(desk.Row(e), "")
			}
			return rows.Row(listedRow(e, now)...)
		})
		switch {
		case o.output != "json":
			err = cmp.Or(err, rows.End()) // also what came before Redis failed
		case err == nil:
			err = array.End()
		}
		if err == nil && found == 0 && o.output != "json" {
			fmt.Fprintln(a.Err, "tykctl: there is no such key")
		}
		err = cmp.Or(err, out.Flush())
		if broken > 0 && err == nil {
			fmt.Fprintf(a.Err, "tykctl: %d unusable: their requests get 503; write each record again, or revoke its key\n", broken)
		}
		return err
	})
}

// listedRow is a key's columns.
func listedRow(e registry.Entry, now time.Time) []string {
	hash := storage.KeyHash(e.APIKey)
	if e.Record == nil {
		return []string{e.APIKey, hash, "unusable: " + e.Problem.Error()}
	}
	limit := suspended
	if e.Record.Limit.Permits > 0 {
		limit = fmt.Sprintf("%d/%s", e.Record.Limit.Permits, duration.Format(e.Record.Limit.Window))
	}
	ends := "never"
	if end := e.End(now); !end.IsZero() {
		ends = term.Relative(end.Sub(now))
	}
	routes := strings.Join(e.Record.Routes.Patterns(), ", ")
	if e.Record.Label != "" {
		routes = strings.TrimLeft(routes+"  # "+e.Record.Label, " ")
	}
	return []string{e.APIKey, hash, limit, ends, routes}
}
