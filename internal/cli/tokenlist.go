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
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
)

type tokenListOptions struct {
	label     string
	expiresIn time.Duration
	output    string
}

func (a *app) tokenListCommand(where *store) *cobra.Command {
	o := &tokenListOptions{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys that have a record",
		Long: `Lists keys with limit, end, label and routes, as they are found and in no order.
Redis goes on serving meanwhile. Records that the gateway could not use are listed
with what is wrong with them; a filter leaves them out.

With -o json it is an array, one element a line: {"api_key","label","rate_limit",
"window","algorithm","allowed_routes","expires_at","ttl"}, window and ttl in seconds,
expires_at and ttl null for never; or {"api_key","problem"}. If Redis fails
meanwhile, what was listed stays, the array is not closed, and the exit code is 4.

Exit codes: 0 listed, also when there are none, 1 failed, 2 wrong usage,
4 Redis unreachable.`,
		Example: `  tykctl token list --expires-in 7d
  tykctl token list --label ACME -o json | jq -r '.[].api_key'`,
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
	f.StringVar(&o.label, "label", "", "only keys whose label contains this text")
	f.Var((*duration.Flag)(&o.expiresIn), "expires-in", "only keys that end within this time, as in 36h or 7d")
	outputFlag(cmd, &o.output)
	return cmd
}

// listBuffer saves writes; what is in it is at most a few hundred lines late.
const listBuffer = 32 << 10

func (a *app) tokenList(ctx context.Context, where *store, o *tokenListOptions) error {
	return a.withAllKeys(where, func(book *ledger.Ledger, _ *config.Config) error {
		out := bufio.NewWriterSize(a.out, listBuffer)
		list, now := list{sheet: a.sheet(out), json: o.output == "json"}, time.Now()
		err := book.List(ctx, func(e ledger.Entry) error {
			if !o.wants(e, now) {
				return nil
			}
			return list.addEntry(e, now)
		})
		if err == nil {
			err = list.end()
		}
		return cmp.Or(err, out.Flush())
	})
}

func (o *tokenListOptions) wants(e ledger.Entry, now time.Time) bool {
	if o.label != "" && (e.Record == nil || !strings.Contains(e.Record.Label, o.label)) {
		return false
	}
	if o.expiresIn > 0 {
		end := e.End(now)
		return e.Record != nil && !end.IsZero() && !end.After(now.Add(o.expiresIn))
	}
	return true
}

// listed is a key in a list. Its JSON form is fixed for scripts.
type listed struct {
	APIKey        string     `json:"api_key"`
	Label         string     `json:"label"`
	RateLimit     int64      `json:"rate_limit"`
	Window        int64      `json:"window"`
	Algorithm     string     `json:"algorithm"`
	AllowedRoutes []string   `json:"allowed_routes"`
	ExpiresAt     *time.Time `json:"expires_at"`
	TTL           *int64     `json:"ttl"`
}

// unusable is a record that the gateway could not use.
type unusable struct {
	APIKey  string `json:"api_key"`
	Problem string `json:"problem"`
}

func (l *list) addEntry(e ledger.Entry, now time.Time) error {
	if e.Record == nil {
		return l.add(unusable{e.APIKey, e.Problem.Error()}, fmt.Sprintf("%-22s  unusable: %s", e.APIKey, e.Problem))
	}
	limit := e.Record.Limit
	routes := e.Record.Routes.Patterns()
	if routes == nil {
		routes = []string{}
	}
	text := ""
	if !l.json {
		ends := "never"
		if end := e.End(now); !end.IsZero() {
			ends = relative(end.Sub(now))
		}
		text = fmt.Sprintf("%-22s  %-12s  %-9s  %s", e.APIKey, fmt.Sprintf("%d/%s", limit.Permits, seconds(int64(limit.Window/time.Second))), ends, strings.Join(routes, ", "))
		if e.Record.Label != "" {
			text += "  # " + e.Record.Label
		}
	}
	value := listed{
		APIKey: e.APIKey, Label: e.Record.Label, RateLimit: limit.Permits, Window: int64(limit.Window / time.Second),
		Algorithm: algorithmOf(limit), AllowedRoutes: routes, TTL: ttlSeconds(e.TTL),
	}
	if !e.Record.Expires.IsZero() {
		value.ExpiresAt = new(e.Record.Expires.UTC())
	}
	return l.add(value, strings.TrimRight(text, " "))
}
