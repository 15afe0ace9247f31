package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/route"
	"github.com/tykctl/tykctl/internal/term"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

type tokenGenOptions struct {
	with signing
	kid  string

	routes   string
	grant    desk.Grant
	ttl      time.Duration
	ttlGiven bool
	apiKey   string
	count    int
	dryRun   bool
	output   string
}

func (a *Program) tokenGenCommand(where *store) *cobra.Command {
	o := &tokenGenOptions{ttl: desk.DefaultTTL, routes: "/api/v1/test,/api/v1/test2"}
	cmd := &cobra.Command{
		Use:   "gen",
		Short: "Make a key: a record in Redis, and the JWT that names it",
		Long: `Makes a key for the given routes: it writes the key's record to Redis and prints
the JWT for the client. The record decides; the gateway follows a change to it,
or its deletion, from the key's next request on.

A route is a path (/api/v1/test). It may have * for one segment (/users/*), /**
at its end for everything below (/files/**), and a method in front
("GET /users/*").

--api-key makes another JWT for a key that exists, and takes limit, routes and
end from its record. The key is named by its api_key, by a JWT signed by the
configuration's secret or keys, or by the hash that the log shows as key=….
--count makes several keys; with -o json it prints one object a line. --dry-run
only shows what it would make.

The secret is application.token.jwt_secret, from the file or, with --env, from
the environment. --secret-file reads another. --secret does too, but other users
of this host can see it. --kid signs with a key of application.token.keys in its
place: to replace a key, add the new one there, sign with it, and remove the old
one when its last token has expired.

Exit codes: 0 made, 1 failed, 2 wrong usage, 3 --api-key has no live record, or
is not valid, 4 Redis unreachable.`,
		Example: `  tykctl token gen --config config.json
  tykctl token gen --routes '/api/v1/test,GET /users/*' --limit 100 \
      --window 10s --ttl 30d --label 'ACME, billing' -o json
  tykctl token gen --api-key $API_KEY --secret-file secret.txt`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.ttlGiven = cmd.Flags().Changed("ttl")
			if err := o.check(cmd.Flags()); err != nil {
				return usage(cmd, err)
			}
			return a.tokenGen(cmd, where, o)
		},
	}
	f := cmd.Flags()
	textFlag(f, &o.routes, "routes", "list", "the routes the key may use, separated by commas")
	f.Var((*duration.Flag)(&o.ttl), "ttl", "how long the key lives, as in 24h or 30d")
	f.Int64Var(&o.grant.Limit, "limit", 10, "how many requests the key may make in each window")
	f.Var((*duration.Flag)(&o.grant.Window), "window", "the limit's window (default: application.rate_limit.window)")
	textFlag(f, &o.grant.Algorithm, "algorithm", "name", "how the limit counts (default: application.rate_limit.algorithm)")
	completeAlgorithm(cmd)
	f.Int64Var(&o.grant.Burst, "burst", 0, "how many requests may come at once after a pause, with token_bucket (default: the limit)")
	f.Var((*duration.Flag)(&o.grant.MaxDelay), "max-delay", "how long a request may be delayed, with leaky_bucket")
	textFlag(f, &o.grant.Label, "label", "text", "whom the key is for")
	textFlag(f, &o.apiKey, "api-key", "key", "make another JWT for this key, from its record")
	_ = cmd.RegisterFlagCompletionFunc("api-key", func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.completeKeys(cmd, nil, typed)
	})
	f.IntVar(&o.count, "count", 1, "how many keys to make")
	f.BoolVar(&o.dryRun, "dry-run", false, "write nothing, and do not connect to Redis")
	o.with.flags(cmd)
	textFlag(f, &o.kid, "kid", "kid", "sign with this key of application.token.keys (default: jwt_secret, else the newest in use)")
	_ = cmd.RegisterFlagCompletionFunc("kid", a.completeKid)
	outputFlag(cmd, &o.output)
	return cmd
}

// ofRecord are the flags that a record decides about.
var ofRecord = []string{"routes", "limit", "window", "algorithm", "burst", "max-delay", "label", "count", "dry-run"}

func (o *tokenGenOptions) check(given *pflag.FlagSet) error {
	o.grant.Routes, o.grant.TTL = splitList(o.routes), o.ttl
	if err := o.grant.Check(); err != nil {
		return err
	}
	if o.count < 1 {
		return fmt.Errorf("--count must be 1 or more, not %d", o.count)
	}
	if o.apiKey != "" {
		for _, name := range ofRecord {
			if given.Changed(name) {
				return fmt.Errorf("--%s does not go with --api-key: the key's record decides", name)
			}
		}
	}
	return cmp.Or(o.with.check(), checkOutput(o.output))
}

func (a *Program) tokenGen(cmd *cobra.Command, where *store, o *tokenGenOptions) error {
	cfg, err := a.loadWith(where, &o.with, app.RequireKey)
	if err != nil {
		return err
	}
	if err := o.grant.CheckLimit(app.StoreOptions(cfg).DefaultLimit); err != nil {
		return usage(cmd, err)
	}
	key, err := app.Signer(cfg, o.kid)
	if err != nil {
		return err
	}
	var of desk.Subject
	if o.apiKey != "" {
		if of, err = a.readKey(o.apiKey); err != nil {
			return usage(cmd, fmt.Errorf("--api-key: %w", err))
		}
		if err = checkSubject(of, cfg); err != nil {
			return fmt.Errorf("--api-key: %w", err)
		}
	}
	err = withStore(cfg, func(book *registry.Registry) error {
		if err := a.resolveOne(cmd.Context(), where, book, &of); err != nil {
			return err
		}
		o.apiKey = of.APIKey
		for i := range o.count {
			made, err := o.make(cmd.Context(), book, key)
			if err != nil {
				return err
			}
			if err := a.showIssued(made, i, o.output, app.Scheme(cfg)+"://"+app.LocalAddr(cfg)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && app.PublicSecret(cfg) {
		fmt.Fprintln(a.Err, "tykctl: this token is signed with the published example secret, for trying out only; make your own with 'tykctl secret'")
	}
	return err
}

func (o *tokenGenOptions) make(ctx context.Context, book *registry.Registry, key jwtauth.Key) (desk.Issued, error) {
	switch {
	case o.dryRun:
		_, made, err := desk.NewToken(book, key, o.grant, time.Now())
		made.DryRun = true
		return made, err
	case o.apiKey != "" && o.ttlGiven:
		return desk.Reissue(ctx, book, key, o.apiKey, o.grant.TTL, time.Now())
	case o.apiKey != "":
		return desk.Reissue(ctx, book, key, o.apiKey, 0, time.Now())
	}
	return desk.Issue(ctx, book, key, o.grant)
}

// showIssued prints the n-th of the tokens that one command makes.
func (a *Program) showIssued(made desk.Issued, n int, output, url string) error {
	if output == "json" {
		return term.WriteJSON(a.Out, made)
	}
	if n > 0 {
		fmt.Fprintln(a.Out)
	}
	return printIssued(a.Out, made, url)
}

// printIssued is the original's text; its labels and their order are fixed.
func printIssued(w io.Writer, t desk.Issued, url string) error {
	title := "Token created successfully!"
	if t.DryRun {
		title = "Token not created: this is a dry run."
	}
	_, err := fmt.Fprintf(w, `%s
api_key:        %s
storage_key:    %s
jwt:            %s
expires_at:     %s
allowed routes: %s
curl example:
  %s
`,
		title, t.APIKey, t.StorageKey, t.JWT, t.ExpiresAt.Format(time.RFC3339),
		term.Printable(strings.Join(t.AllowedRoutes, ", ")), curlLine(t, url))
	return err
}

// curlLine is a request that the token is allowed to make, ready to be pasted.
// From loopback the name in a certificate cannot be right, so curl is not to look.
func curlLine(t desk.Issued, url string) string {
	if len(t.AllowedRoutes) == 0 {
		return "none: the record allows no route"
	}
	method, path := route.Sample(t.AllowedRoutes[0])
	line := "curl -i "
	if strings.HasPrefix(url, "https:") {
		line = "curl -ik "
	}
	if method != "" && method != "GET" {
		line += "-X " + method + " "
	}
	return line + fmt.Sprintf(`-H "Authorization: Bearer %s" '%s%s'`, t.JWT, url, strings.ReplaceAll(term.Printable(path), "'", `'\''`))
}
