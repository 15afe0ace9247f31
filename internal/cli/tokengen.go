package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/route"
)

// storeWait is how long an operator's command waits for Redis.
const storeWait = 1500 * time.Millisecond

type tokenGenOptions struct {
	routes string
	grant  grant
	redis  string
	prefix string
	secret string
	kid    string
	output string
}

func (a *app) tokenGenCommand() *cobra.Command {
	o := &tokenGenOptions{}
	cmd := &cobra.Command{
		Use:   "gen",
		Short: "Make a token: a record in Redis and the JWT that names it",
		Long: `Makes a key that may use the given routes: its record is written to Redis, and
its JWT is printed. The record is what counts: changing or deleting it counts at
the key's next request.

A route is a path (/api/v1/test), may have * for one segment (/users/*) or /** at
its end for all beneath (/files/**), and a method in front ("GET /users/*").

The secret is application.token.jwt_secret, from the file or, with --env, from the
environment. --secret works too, but other users of this host can see it there.

Exit codes: 0 made, 1 failed, 2 wrong usage, 4 Redis unreachable.`,
		Example: `  tykctl token gen --config config.json
  tykctl token gen --routes '/api/v1/test,GET /users/*' --limit 100 --window 10s --ttl 720h -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.grant.routes = splitList(o.routes)
			if err := o.grant.check(); err != nil {
				return usage(cmd, err)
			}
			if err := checkOutput(o.output); err != nil {
				return usage(cmd, err)
			}
			return a.tokenGen(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.routes, "routes", "/api/v1/test,/api/v1/test2", "the routes the key may use, separated by commas")
	f.DurationVar(&o.grant.ttl, "ttl", 24*time.Hour, "how long the key lives")
	f.Int64Var(&o.grant.limit, "limit", 10, "requests the key may make in each window")
	f.DurationVar(&o.grant.window, "window", 0, "the limit's window (default: application.rate_limit.window)")
	f.StringVar(&o.redis, "redis", "", "Redis' `host:port`, several with commas for a Cluster (default: the configuration's)")
	f.StringVar(&o.prefix, "prefix", "", `what stands before the api_key in the record's name (default: the configuration's, "token:")`)
	f.StringVar(&o.secret, "secret", "", "the secret to sign with (default: the configuration's)")
	f.StringVar(&o.kid, "kid", "", "sign with this `key` of application.token.keys (default: jwt_secret, else the newest in use)")
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) tokenGen(ctx context.Context, o *tokenGenOptions) error {
	flags := storeFlags(o.redis)
	if o.prefix != "" {
		flags["application.token.prefix"] = o.prefix
	}
	if o.secret != "" {
		flags["application.token.jwt_secret"] = o.secret
	}
	cfg, err := a.load(flags, requireKey)
	if err != nil {
		return err
	}
	key, err := signer(cfg, o.kid)
	if err != nil {
		return err
	}
	book := openStore(cfg)
	defer func() { _ = book.Close() }()
	made, err := issue(ctx, book, key, o.grant)
	if err != nil {
		return storeError(err, cfg)
	}
	if publicSecret(cfg) {
		fmt.Fprintln(a.err, "tykctl: signed with the published example secret: for trying out only, see 'tykctl secret --help'")
	}
	if o.output == "json" {
		return json.NewEncoder(a.out).Encode(made)
	}
	return printIssued(a.out, made, scheme(cfg)+"://"+localAddr(cfg))
}

// printIssued is the original's text; its labels and their order are fixed.
func printIssued(w io.Writer, t issued, url string) error {
	_, err := fmt.Fprintf(w, `Token created successfully!
api_key:        %s
storage_key:    %s
jwt:            %s
expires_at:     %s
allowed routes: %s
curl example:
  %s
`,
		t.APIKey, t.StorageKey, t.JWT, t.ExpiresAt.Format(time.RFC3339),
		strings.Join(t.AllowedRoutes, ", "), curlLine(t, url))
	return err
}

// curlLine is a request that the token is allowed to make, ready to be pasted.
// From loopback the name in a certificate cannot be right, so curl is not to look.
func curlLine(t issued, url string) string {
	method, path := route.Sample(t.AllowedRoutes[0])
	line := "curl -i "
	if strings.HasPrefix(url, "https:") {
		line = "curl -ik "
	}
	if method != "" && method != "GET" {
		line += "-X " + method + " "
	}
	return line + fmt.Sprintf(`-H "Authorization: Bearer %s" '%s%s'`, t.JWT, url, path)
}

// storeFlags turns --redis into the options that it overrides.
func storeFlags(redis string) map[string]string {
	flags := map[string]string{}
	if redis == "" {
		return flags
	}
	if strings.Contains(redis, ",") {
		flags["redis.addrs"] = redis
		return flags
	}
	flags["redis.addr"], flags["redis.addrs"] = redis, ""
	return flags
}

func openStore(cfg *config.Config) *ledger.Ledger {
	o := storeOptions(cfg)
	o.Timeout = storeWait
	return ledger.Open(o)
}

// storeError adds to a fault of Redis where it was sought and what to do.
func storeError(err error, cfg *config.Config) error {
	if !errors.Is(err, ledger.ErrUnavailable) {
		return err
	}
	hint := "start it, or name another with --redis"
	if _, answered := errors.AsType[redis.Error](err); answered {
		hint = "it answers, but refuses: check redis.username, redis.password and its state"
	}
	return fmt.Errorf("%s: %w; %s", strings.Join(storeOptions(cfg).Addrs, ","), err, hint)
}

func checkOutput(format string) error {
	if format != "text" && format != "json" {
		return fmt.Errorf(`-o must be text or json, not %q`, format)
	}
	return nil
}

// splitList reads a comma-separated list; a trailing comma is no fault.
func splitList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
