package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/term"
)

type tokenUpdateOptions struct {
	with   signing
	grant  grant
	routes string
	ttl    time.Duration
	output string
}

func (a *app) tokenUpdateCommand(where *store) *cobra.Command {
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
	f.Int64Var(&o.grant.limit, "limit", 0, "how many requests the key may make in each window; 0 suspends it")
	textFlag(f, &o.routes, "routes", "list", "the routes the key may use, separated by commas")
	f.Var((*duration.Flag)(&o.grant.window), "window", "the limit's window")
	f.Var((*duration.Flag)(&o.ttl), "ttl", "how long the key lives from now on, as in 24h or 30d")
	textFlag(f, &o.grant.algorithm, "algorithm", "name", "how the limit counts")
	completeAlgorithm(cmd)
	f.Int64Var(&o.grant.burst, "burst", 0, "how many requests may come at once after a pause, with token_bucket")
	f.Var((*duration.Flag)(&o.grant.maxDelay), "max-delay", "how long a request may be delayed, with leaky_bucket")
	textFlag(f, &o.grant.label, "label", "text", "whom the key is for")
	o.with.flags(cmd)
	outputFlag(cmd, &o.output)
	return cmd
}

// change is what the flags that were given ask for. The limit as a whole is
// judged where it meets the record's other fields.
func (o *tokenUpdateOptions) change(f *pflag.FlagSet, now time.Time) (ledger.Change, error) {
	c := ledger.Change{
		RateLimit: given(f, "limit", o.grant.limit),
		Window:    given(f, "window", durationText(o.grant.window)),
		Algorithm: given(f, "algorithm", o.grant.algorithm),
		Burst:     given(f, "burst", o.grant.burst),
		MaxDelay:  given(f, "max-delay", durationText(o.grant.maxDelay)),
		Label:     given(f, "label", o.grant.label),
	}
	var routes, ttl error
	if f.Changed("routes") {
		c.AllowedRoutes = splitList(o.routes)
		routes = checkRoutes(c.AllowedRoutes)
	}
	if f.Changed("ttl") {
		c.TTL = wholeSeconds(o.ttl)
		end := endAfter(now, c.TTL)
		c.ExpiresAt, c.Expires = &end, new(end.Unix())
		ttl = checkTTL(o.ttl)
	}
	err := cmp.Or(routes, ttl, checkWindow(o.grant.window), checkLabel(o.grant.label))
	switch {
	case err != nil:
		return c, err
	case reflect.ValueOf(c).IsZero():
		return c, errors.New("nothing to change; say what, as in --limit 100")
	case o.grant.limit < 0:
		return c, fmt.Errorf("--limit must be 0 or more, not %d", o.grant.limit)
	}
	return c, nil
}

// given is the value of a flag that was given, else nil.
func given[T any](f *pflag.FlagSet, name string, value T) *T {
	if !f.Changed(name) {
		return nil
	}
	return &value
}

func (a *app) tokenUpdate(ctx context.Context, where *store, who subject, c ledger.Change, o *tokenUpdateOptions) error {
	cfg, err := a.loadWith(where, &o.with)
	if err != nil {
		return err
	}
	if who.jwt != "" {
		if err := checkSigned(who.jwt, cfg); err != nil {
			return err
		}
	}
	return withStore(cfg, func(book *ledger.Ledger) error {
		if err := a.resolveOne(ctx, where, book, &who); err != nil {
			return err
		}
		e, err := book.Update(ctx, who.apiKey, c)
		if err != nil {
			return err
		}
		if o.output == "json" {
			return term.WriteJSON(a.out, updated{e.APIKey, json.RawMessage(e.Raw), ttlSeconds(e.TTL)})
		}
		s, now := a.sheet(a.out), time.Now()
		s.Line("Record changed.")
		showFields(s, json.RawMessage(e.Raw), nil, now)
		s.Row("stored at", e.Name+", "+vanishes(e.TTL, now))
		return s.Err
	})
}

// updated is a record after its change. Its JSON form is fixed for scripts.
type updated struct {
	APIKey string          `json:"api_key"`
	Record json.RawMessage `json:"record"`
	TTL    *int64          `json:"ttl"`
}

// ttlSeconds is nil for never.
func ttlSeconds(ttl time.Duration) *int64 {
	if ttl < 0 {
		return nil
	}
	return new(int64((ttl + time.Second - 1) / time.Second))
}
