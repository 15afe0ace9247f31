package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/term"
)

type tokenUpdateOptions struct {
	with   signing
	grant  desk.Grant
	routes string
	ttl    time.Duration
	output string
}

func (a *Program) tokenUpdateCommand(where *store) *cobra.Command {
	o := &tokenUpdateOptions{}
	cmd := &cobra.Command{
		Use:   "update {api_key | jwt | hash | -}",
		Short: "Change a key's limit, routes, end or label",
		Long: `Changes what the flags name in a key's record, in one atomic step. The rest of
the record stays as it is, byte for byte, and so does its end unless --ttl is
given. The change takes effect with the key's next request; if the gateway is
just refusing the key for its limit, within a second.

The key is named by its api_key, by a JWT signed by the configuration's secret
or keys, or by the hash that the log shows as key=…; - reads any of these from
stdin.

--limit 0 suspends the key. --window 0 goes back to the gateway's own window.
JWTs that were handed out keep their own end: 'tykctl token gen --api-key' makes
another.

With -o json it is one object: {"api_key","record","ttl"}, ttl in seconds, null
for never.

Exit codes: 0 changed, 1 failed, 2 wrong usage, 3 no live record, or the result
would be invalid, or the JWT is, 4 Redis unreachable.`,
		Example: `  tykctl token update 7wYb1lYvT2Kq3mXnR5sZdA --limit 500
  tykctl token update 7wYb1lYvT2Kq3mXnR5sZdA --routes 'GET /users/*' \
      --ttl 90d --label 'ACME, billing'`,
		ValidArgsFunction: a.completeKey,
		Args:              oneArg("one api_key, JWT or hash"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := o.change(cmd.Flags(), time.Now())
			if err := cmp.Or(err, o.with.check(), checkOutput(o.output)); err != nil {
				return usage(cmd, err)
			}
			if args[0] == "-" && o.with.secretFile == "-" {
				return usage(cmd, errStdinTwice)
			}
			who, err := a.readKey(args[0])
			if err != nil {
				return err
			}
			return a.tokenUpdate(cmd.Context(), where, who, change, o)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&o.grant.Limit, "limit", 0, "how many requests the key may make in each window; 0 suspends it")
	textFlag(f, &o.routes, "routes", "list", "the routes the key may use, separated by commas")
	f.Var((*duration.Flag)(&o.grant.Window), "window", "the limit's window")
	f.Var((*duration.Flag)(&o.ttl), "ttl", "how long the key lives from now on, as in 24h or 30d")
	textFlag(f, &o.grant.Algorithm, "algorithm", "name", "how the limit counts")
	completeAlgorithm(cmd)
	f.Int64Var(&o.grant.Burst, "burst", 0, "how many requests may come at once after a pause, with token_bucket")
	f.Var((*duration.Flag)(&o.grant.MaxDelay), "max-delay", "how long a request may be delayed, with leaky_bucket")
	textFlag(f, &o.grant.Label, "label", "text", "whom the key is for")
	o.with.flags(cmd)
	outputFlag(cmd, &o.output)
	return cmd
}

// change is what the flags that were given ask for.
func (o *tokenUpdateOptions) change(f *pflag.FlagSet, now time.Time) (registry.Change, error) {
	wish := desk.Amendment{
		Limit:     given(f, "limit", o.grant.Limit),
		Window:    given(f, "window", o.grant.Window),
		Algorithm: given(f, "algorithm", o.grant.Algorithm),
		Burst:     given(f, "burst", o.grant.Burst),
		MaxDelay:  given(f, "max-delay", o.grant.MaxDelay),
		Label:     given(f, "label", o.grant.Label),
		Routes:    given(f, "routes", splitList(o.routes)),
		TTL:       given(f, "ttl", o.ttl),
	}
	if wish == (desk.Amendment{}) {
		return registry.Change{}, errors.New("nothing to change; say what, as in --limit 100")
	}
	return wish.Change(now)
}

// given is the value of a flag that was given, else nil.
func given[T any](f *pflag.FlagSet, name string, value T) *T {
	if !f.Changed(name) {
		return nil
	}
	return &value
}

func (a *Program) tokenUpdate(ctx context.Context, where *store, who desk.Subject, c registry.Change, o *tokenUpdateOptions) error {
	cfg, err := a.loadWith(where, &o.with)
	if err != nil {
		return err
	}
	if err := checkSubject(who, cfg); err != nil {
		return err
	}
	return withStore(cfg, func(book *registry.Registry) error {
		if err := a.resolveOne(ctx, where, book, &who); err != nil {
			return err
		}
		e, err := book.Update(ctx, who.APIKey, c)
		if err != nil {
			return err
		}
		if o.output == "json" {
			return term.WriteJSON(a.Out, desk.ReportUpdate(e))
		}
		s, now := a.sheet(a.Out), time.Now()
		s.Line("Record changed.")
		showFields(s, json.RawMessage(e.Raw), nil, now)
		s.Row("stored at", e.Name+", "+vanishes(e.TTL, now))
		return s.Err
	})
}
