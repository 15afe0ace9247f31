package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/registry"
)

// MaxArgument is more than any token has; what is larger is not read to its end.
const MaxArgument = 64 << 10

// readSubject takes a JWT, an api_key or a key's hash from the command line, or
// from stdin where the argument is "-".
func (a *Program) readSubject(arg string) (desk.Subject, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(a.In, MaxArgument))
		if err != nil {
			return desk.Subject{}, err
		}
		arg = strings.TrimSpace(string(text))
	}
	return desk.ParseSubject(arg)
}

// readKey is readSubject for a command that needs the key itself.
func (a *Program) readKey(arg string) (desk.Subject, error) {
	who, err := a.readSubject(arg)
	return who, errorOr(err, who.Named)
}

// errorOr is err, or what check finds.
func errorOr(err error, check func() error) error {
	if err != nil {
		return err
	}
	return check()
}

// resolve is desk's, with a line of progress.
func (a *Program) resolve(ctx context.Context, s *store, book *registry.Registry, subjects ...*desk.Subject) error {
	p := a.progress("searching for " + desk.Counted(len(desk.HashesOf(subjects)), "hash", "hashes") + " among the keys")
	err := desk.Resolve(ctx, book, desk.Search{Within: s.timeout, Show: p.Show}, subjects...)
	p.End()
	if _, slow := errors.AsType[desk.SearchError](err); slow {
		return fmt.Errorf("%w; give it more time with --timeout", err)
	}
	return err
}

// resolveOne is resolve for a command that cannot do without the key.
func (a *Program) resolveOne(ctx context.Context, s *store, book *registry.Registry, who *desk.Subject) error {
	return errorOr(a.resolve(ctx, s, book, who), who.Found)
}
