package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/ledger"
)

type tokenRevokeOptions struct {
	with signing

	force  bool
	output string
}

func (a *app) tokenRevokeCommand(where *store) *cobra.Command {
	o := &tokenRevokeOptions{}
	cmd := &cobra.Command{
		Use:   "revoke {jwt | api_key}...",
		Short: "Delete keys' records, so that their tokens are refused from the next request on",
		Long: `Deletes the records of the keys that are named, by themselves or by a JWT. Every
JWT of such a key is refused from its next request on.

A JWT must bear our signature, since anyone can write one that names any key;
whether it has expired does not matter. Nothing is revoked if one of them does not,
unless --force is given.

With -o json it is one array of {"api_key","revoked"}.

Exit codes: 0 revoked, 1 failed, 2 wrong usage, 3 none was live, or an argument is
not valid, 4 Redis unreachable.`,
		Example: `  tykctl token revoke 7wYb1lYvT2Kq3mXnR5sZdA
  tykctl token revoke $JWT $OLD_JWT -o json`,
		ValidArgsFunction: a.completeKeys,
		Args:              someArgs("JWTs or api_keys"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(o.with.check(), checkOutput(o.output)); err != nil {
				return usage(cmd, err)
			}
			return a.tokenRevoke(cmd.Context(), where, args, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.force, "force", false, "revoke by a JWT whose signature does not hold or cannot be checked")
	o.with.flags(cmd)
	outputFlag(cmd, &o.output)
	return cmd
}

// revocation is what became of one argument. Its JSON form is fixed for scripts.
type revocation struct {
	APIKey  string `json:"api_key"`
	Revoked bool   `json:"revoked"`
}

func (a *app) tokenRevoke(ctx context.Context, where *store, args []string, o *tokenRevokeOptions) error {
	subjects, err := a.readKeys(args)
	if err != nil {
		return err
	}
	cfg, err := a.loadWith(where, &o.with)
	if err != nil {
		return err
	}
	for n, s := range subjects {
		if s.jwt == "" || o.force {
			continue
		}
		if err := checkSigned(s.jwt, cfg); err != nil {
			return fmt.Errorf("argument %d: %w; nothing was revoked, --force would", n+1, err)
		}
	}
	return withStore(cfg, func(book *ledger.Ledger) error {
		list := list{sheet: a.sheet(a.out), json: o.output == "json"}
		live := 0
		for _, s := range subjects {
			revoked, err := book.Revoke(ctx, s.apiKey)
			if err != nil {
				return err
			}
			text := "not live  "
			if revoked {
				text = "revoked   "
				live++
			}
			if err := list.add(revocation{s.apiKey, revoked}, text+s.apiKey); err != nil {
				return err
			}
		}
		if err := list.end(); err != nil {
			return err
		}
		if live == 0 {
			return fmt.Errorf("%w: none of the keys was live", errNotValid)
		}
		return nil
	})
}

// readKeys reads the names of all keys before anything is done by one.
func (a *app) readKeys(args []string) ([]subject, error) {
	var list []subject
	for n, arg := range args {
		s, err := a.readKey(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", n+1, err)
		}
		list = append(list, s)
	}
	return list, nil
}
