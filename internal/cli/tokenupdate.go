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

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/ledger"
)

type tokenUpdateOptions struct {
	grant  grant
	routes string
	ttl    time.Duration
	output string
}

func (a *app) tokenUpdateCommand(where *store) *cobra.Command {
	o := &tokenUpdateOptions{}
	cmd := &cobra.Command{
		Use:   "update api_key",
		Short: "Change a key's record, which counts from its next request on",
		Long: `Changes what the flags name in the live record of a key, in one atomic step. All
else in the record stays as it is, byte for byte, whoever wrote it; so does the time
until it vanishes, unless --ttl is given. A --limit of 0 suspends the key; a
--window of 0 is the gateway's own. For a key that is being refused for its limit
the change counts within a second.

The JWTs that were handed out keep the end that is written in them:
'tykctl token gen --api-key' makes another.

With -o json it is one object: {"api_key","record","ttl"}, ttl in seconds, null for never.

Exit codes: 0 changed, 1 failed, 2 wrong usage, 3 no live record, or none that the
gateway could then use, 4 Redis unreachable.`,
		Example: `  tykctl token update 7wYb1lYvT2Kq3mXnR5sZdA --limit 500
  tykctl token update 7wYb1lYvT2Kq3mXnR5sZdA --routes 'GET /users/*' --ttl 90d --label 'ACME, billing'`,
		ValidArgsFunction: a.completeKey,
		Args:              oneArg("one api_key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := o.change(cmd.Flags(), time.Now())
			if err := cmp.Or(err, checkOutput(o.output)); err != nil {
				return usage(cmd, err)
			}
			s, err := a.readSubject(args[0])
			if err != nil {
				return err
			}
			if s.jwt != "" {
				return usage(cmd, errors.New("update takes the api_key by itself, which 'tykctl token inspect' shows of a JWT"))
			}
			return a.tokenUpdate(cmd.Context(), where, s.apiKey, change, o)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&o.grant.limit, "limit", 0, "requests the key may make in each window")
	f.StringVar(&o.routes, "routes", "", "the routes the key may use, separated by commas")
	f.Var((*duration.Flag)(&o.grant.window), "window", "the limit's window")
	f.Var((*duration.Flag)(&o.ttl), "ttl", "how long the key lives from now on, as in 24h or 30d")
	f.StringVar(&o.grant.algorithm, "algorithm", "", "how the limit counts")
	completeAlgorithm(cmd)
	f.Int64Var(&o.grant.burst, "burst", 0, "requests that may come at once, for algorithms that know it")
	f.Var((*duration.Flag)(&o.grant.maxDelay), "max-delay", "how long a request may be held back, for algorithms that know it")
	f.StringVar(&o.grant.label, "label", "", "whom the key is for")
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
		c.TTL = o.ttl
		end := endAfter(now, c.TTL)
		c.ExpiresAt, c.Expires = &end, new(end.Unix())
		ttl = checkTTL(c.TTL)
	}
	err := cmp.Or(routes, ttl, checkWindow(o.grant.window), checkLabel(o.grant.label))
	switch {
	case err != nil:
		return c, err
	case reflect.ValueOf(c).IsZero():
		return c, errors.New("nothing to change: name it, as in --limit 100")
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

func (a *app) tokenUpdate(ctx context.Context, where *store, apiKey string, c ledger.Change, o *tokenUpdateOptions) error {
	return a.withKeys(where, func(book *ledger.Ledger, _ *config.Config) error {
		e, err := book.Update(ctx, apiKey, c)
		if err != nil {
			return err
		}
		if o.output == "json" {
			return writeJSON(a.out, updated{e.APIKey, json.RawMessage(e.Raw), ttlSeconds(e.TTL)})
		}
		s, now := a.sheet(a.out), time.Now()
		s.line("Record changed.")
		s.fields(json.RawMessage(e.Raw), nil, now)
		s.row("stored at", e.Name+", "+vanishes(e.TTL, now))
		return s.err
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
