package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/ledger"
)

// Exit codes, fixed for scripts.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3 // not found, or not valid
	exitNoRedis  = 4
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

func usage(cmd *cobra.Command, err error) error { return usageError{err, cmd.CommandPath()} }

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, wrong := errors.AsType[usageError](err); wrong {
		return exitUsage
	}
	switch {
	case errors.Is(err, ledger.ErrUnavailable):
		return exitNoRedis
	case errors.Is(err, errNotValid), errors.Is(err, ledger.ErrUnknown), errors.Is(err, ledger.ErrExpired), errors.Is(err, ledger.ErrRecord):
		return exitNotFound
	}
	return exitFailed
}

func (a *app) report(err error) {
	fmt.Fprintf(a.err, "tykctl: %s\n", err)
}
