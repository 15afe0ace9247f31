package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// Exit codes, fixed for scripts.
const (
	ExitOK       = 0
	ExitFailed   = 1
	exitUsage    = 2
	ExitNotFound = 3 // not found, or not valid
	ExitNoRedis  = 4
)

// usageError is a fault of the command line itself.
type usageError struct {
	err  error
	help string // the command whose help explains what would be right
}

func (e usageError) Error() string {
	return fmt.Sprintf("%s\nSee '%s --help'.", e.err, e.help)
}

func (e usageError) Unwrap() error { return e.err }

func usage(cmd *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[desk.FieldError](err); ok {
		err = errors.New(wrong.Named("--" + wrong.Field))
	}
	return usageError{err, cmd.CommandPath()}
}

// hyphenated explains wrong usage that is none of the operator's: an api_key that
// was made elsewhere may begin with a hyphen, and then looks like flags.
func hyphenated(args []string, err error) error {
	wrong, ok := errors.AsType[usageError](err)
	if !ok {
		return err
	}
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && jwtauth.ValidAPIKey(arg) {
			wrong.err = fmt.Errorf("put an api_key that begins with - after --, as in '%s -- KEY'", wrong.help)
			return wrong
		}
	}
	return err
}

func exitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if _, wrong := errors.AsType[usageError](err); wrong {
		return exitUsage
	}
	switch {
	case errors.Is(err, storage.ErrUnavailable):
		return ExitNoRedis
	case errors.Is(err, desk.ErrNotValid), errors.Is(err, storage.ErrUnknown), errors.Is(err, storage.ErrExpired), errors.Is(err, storage.ErrRecord), errors.Is(err, storage.ErrCounter):
		return ExitNotFound
	}
	return ExitFailed
}

func (a *Program) report(err error) {
	fmt.Fprintf(a.Err, "tykctl: %s\n", err)
}
