package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/term"
)

type tokenRevokeOptions struct {
	with signing

	fromFile string
	label    string
	force    bool
	dryRun   bool
	output   string
}

func (a *Program) tokenRevokeCommand(where *store) *cobra.Command {
	o := &tokenRevokeOptions{}
	cmd := &cobra.Command{
		Use:   "revoke [api_key | jwt | hash | -]...",
		Short: "Revoke keys: delete their records",
		Long: `Deletes the records of the named keys. The gateway refuses every JWT of such a
key from its next request on. Keys are named

  - one by one: by api_key, by JWT, or by the hash that the log shows as key=…
  - one a line on stdin (-) or in a file (--from-file)
  - by their label (--label)

A JWT must be signed by the configuration's secret or keys, since anyone can
write one that names any key; it may have expired. If one of the keys is not
valid, nothing is revoked. --force revokes by a JWT with any signature.

--dry-run shows what would be revoked.

With -o json it is one array of {"api_key","revoked","key_hash"}, with --dry-run
of {"api_key","revoked","key_hash","dry_run","live"}. If Redis fails midway, the
array is left open.

Exit codes: 0 revoked, 1 failed, 2 wrong usage, 3 none of the keys was live, or
one is not valid, 4 Redis unreachable.`,
		Example: `  tykctl token revoke 7wYb1lYvT2Kq3mXnR5sZdA
  tykctl token revoke --from-file leaked.txt --dry-run
  cat leaked.txt | tykctl token revoke - -o json
  tykctl token revoke --label 'acme, billing'`,
		ValidArgsFunction: a.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := o.check(args, cmd.Flags().Changed("label"))
			if err := cmp.Or(err, o.with.check(), checkOutput(o.output)); err != nil {
				return usage(cmd, err)
			}
			return a.tokenRevoke(cmd.Context(), where, args, o)
		},
	}
	f := cmd.Flags()
	textFlag(f, &o.fromFile, "from-file", "file", "a file with one key a line")
	textFlag(f, &o.label, "label", "text", "revoke all keys whose label contains this; letter case does not matter")
	completeFlag(cmd, "label")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would be revoked")
	f.BoolVar(&o.force, "force", false, "do not check the signatures of JWTs")
	o.with.flags(cmd)
	outputFlag(cmd, &o.output)
	return cmd
}

func (o *tokenRevokeOptions) check(args []string, byLabel bool) error {
	ways := 0
	for _, given := range []bool{len(args) > 0, o.fromFile != "", byLabel} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("name the keys to revoke: as arguments, with --from-file or with --label")
	case ways > 1:
		return errors.New("name the keys in one way: as arguments, with --from-file or with --label")
	case byLabel && strings.TrimSpace(o.label) == "":
		return errors.New("--label must not be empty: every label contains that")
	}
	return nil
}

func (a *Program) tokenRevoke(ctx context.Context, where *store, args []string, o *tokenRevokeOptions) error {
	subjects, err := a.readSubjects(args, o.fromFile)
	if err != nil {
		return err
	}
	cfg, err := a.loadWith(where, &o.with)
	if err != nil {
		return err
	}
	if err := o.checkSignatures(subjects, cfg); err != nil {
		return err
	}
	return withStore(cfg, func(book *registry.Registry) error {
		var keys desk.Named
		if o.label != "" {
			if keys.APIKeys, err = desk.LabelledKeys(ctx, book, o.label); err != nil {
				return err
			}
			if len(keys.APIKeys) == 0 {
				return fmt.Errorf("%w: no key has a label that contains %q", desk.ErrNotValid, term.Printable(o.label))
			}
		}
		who := make([]*desk.Subject, len(subjects))
		for i := range subjects {
			who[i] = &subjects[i].Subject
		}
		if err := a.resolve(ctx, where, book, who...); err != nil {
			return err
		}
		for _, s := range who {
			keys.Add(s)
		}
		return a.revoke(ctx, book, keys, o)
	})
}

func (o *tokenRevokeOptions) checkSignatures(subjects []namedSubject, cfg *config.Config) error {
	if o.force {
		return nil
	}
	for _, s := range subjects {
		if err := checkSubject(s.Subject, cfg); err != nil {
			return fmt.Errorf("%s: %w; nothing was revoked, --force skips this check", s.where, err)
		}
	}
	return nil
}

// revoke revokes keys and prints what became of each.
func (a *Program) revoke(ctx context.Context, book *registry.Registry, keys desk.Named, o *tokenRevokeOptions) error {
	list := term.List{Sheet: a.sheet(a.Out), JSON: o.output == "json"}
	live, err := desk.Revoke(ctx, book, keys, o.dryRun, func(r desk.Revocation, isLive bool) error {
		text := "not live  "
		switch {
		case isLive && o.dryRun:
			text = "live      "
		case isLive:
			text = "revoked   "
		}
		return list.Add(r, text+r.Name)
	})
	if err != nil {
		return err
	}
	if err := list.End(); err != nil {
		return err
	}
	if live == 0 {
		return fmt.Errorf("%w: none of these keys is live", desk.ErrNotValid)
	}
	if total := keys.Count(); total > 1 && o.output != "json" {
		verb := "revoked"
		if o.dryRun {
			verb = "live, none of them was revoked: this is a dry run"
		}
		fmt.Fprintf(a.Err, "tykctl: %d of %d keys %s\n", live, total, verb)
	}
	return nil
}

// namedSubject is a subject and where it was named.
type namedSubject struct {
	desk.Subject
	where string // argument 2, line 17
}

// readSubjects reads the names of all keys before anything is done by one: the
// arguments, where - stands for the lines of stdin, and the lines of a file.
func (a *Program) readSubjects(args []string, file string) ([]namedSubject, error) {
	var all []namedSubject
	add := func(text, where string) error {
		s, err := desk.ParseSubject(text)
		if err = errorOr(err, s.Named); err != nil {
			return fmt.Errorf("%s: %w; nothing was revoked", where, err)
		}
		all = append(all, namedSubject{s, where})
		return nil
	}
	lines := func(in io.Reader) error {
		scan := bufio.NewScanner(in)
		scan.Buffer(nil, MaxArgument)
		for n := 1; scan.Scan(); n++ {
			if text := strings.TrimSpace(scan.Text()); text != "" {
				if err := add(text, fmt.Sprintf("line %d", n)); err != nil {
					return err
				}
			}
		}
		if errors.Is(scan.Err(), bufio.ErrTooLong) {
			return fmt.Errorf("%w: a line is longer than any key; nothing was revoked", desk.ErrNotValid)
		}
		return scan.Err()
	}
	for n, arg := range args {
		read := func() error { return add(arg, fmt.Sprintf("argument %d", n+1)) }
		if arg == "-" {
			read = func() error { return lines(a.In) }
		}
		if err := read(); err != nil {
			return nil, err
		}
	}
	if file != "" {
		f, err := os.Open(file) //nolint:gosec // the operator named it
		if err != nil {
			return nil, fmt.Errorf("--from-file: %w", fileError(err))
		}
		defer func() { _ = f.Close() }()
		if err := lines(f); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(all) == 0 && (len(args) > 0 || file != "") {
		return nil, fmt.Errorf("%w: there is no key to revoke on stdin or in the file", desk.ErrNotValid)
	}
	return all, nil
}
