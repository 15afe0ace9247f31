package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

type tokenRevokeOptions struct {
	reach

	force  bool
	output string
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	o := &tokenRevokeOptions{}
	cmd := &cobra.Command{
		Use:   "revoke JWT|API_KEY…",
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
		Args: args(1, 0, "JWTs or api_keys"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(o.reach.check(), checkOutput(o.output)); err != nil {
				return usage(cmd, err)
			}
			return a.tokenRevoke(cmd.Context(), args, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.force, "force", false, "revoke by a JWT whose signature does not hold or cannot be checked")
	o.storeFlags(f)
	o.secretFlags(f)
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

// revocation is what became of one argument. Its JSON form is fixed for scripts.
type revocation struct {
	APIKey  string `json:"api_key"`
	Revoked bool   `json:"revoked"`
}

func (a *app) tokenRevoke(ctx context.Context, args []string, o *tokenRevokeOptions) error {
	subjects, byJWT, err := a.readSubjects(args)
	if err != nil {
		return err
	}
	var need []string
	if byJWT && !o.force {
		need = []string{"application.token.jwt_secret"}
	}
	cfg, err := a.loadReach(&o.reach, need...)
	if err != nil {
		return err
	}
	if byJWT && !o.force {
		v, err := verifierOf(cfg)
		if err != nil {
			return err
		}
		for n, s := range subjects {
			if err := genuine(v, s); err != nil {
				return fmt.Errorf("argument %d: %w; nothing was revoked", n+1, err)
			}
		}
	}
	return withStore(cfg, func(book *ledger.Ledger) error {
		list := newList(a.out, o.output)
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

// readSubjects reads the keys of all arguments, each of which must name one.
func (a *app) readSubjects(args []string) (list []subject, byJWT bool, err error) {
	for n, arg := range args {
		s, err := a.readSubject(arg)
		if err == nil && s.apiKey == "" {
			err = fmt.Errorf(`%w: the JWT's claims hold no "api_key"`, errNotValid)
		}
		if err != nil {
			return nil, false, fmt.Errorf("argument %d: %w", n+1, err)
		}
		byJWT = byJWT || s.jwt != ""
		list = append(list, s)
	}
	return list, byJWT, nil
}

// genuine wants a JWT to be ours; that its time is over is no fault. The api_key
// of one that has another fault could be read in two ways, and is not believed.
func genuine(v *jwtauth.Verifier, s subject) error {
	if s.jwt == "" {
		return nil
	}
	if _, err := v.Verify(s.jwt, time.Now()); err != nil && !errors.Is(err, jwtauth.ErrExpired) {
		return fmt.Errorf("%w: %w; to revoke the key that it names all the same, add --force", errNotValid, err)
	}
	return nil
}
