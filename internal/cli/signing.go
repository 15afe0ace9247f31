package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
)

// signing says what tokens are signed with, when not with the configuration's secret.
type signing struct{ secret, secretFile string }

func (s *signing) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	textFlag(f, &s.secretFile, "secret-file", "file", "the file with the secret that signs tokens, less one line end at its end; - for stdin (default: from the configuration)")
	textFlag(f, &s.secret, "secret", "text", "the secret itself; other users of this host can see it")
	completeFlag(cmd, "secret")
}

func (s *signing) check() error {
	if s.secret != "" && s.secretFile != "" {
		return errors.New("give --secret or --secret-file, not both")
	}
	return nil
}

// loadWith reads the configuration with the flags of a command in place.
func (a *Program) loadWith(where *store, with *signing, require ...string) (*config.Config, error) {
	options, secret := where.overrides(), with.secret
	if with.secretFile != "" {
		var err error
		if secret, err = a.readSecret(with.secretFile); err != nil {
			return nil, fmt.Errorf("--secret-file: %w", fileError(err))
		}
	}
	if secret != "" {
		options["application.token.jwt_secret"] = secret
	}
	return a.load(options, require...)
}

// readSecret reads a secret from a file, or from stdin if that is "-".
func (a *Program) readSecret(file string) (string, error) {
	if file != "-" {
		return config.ReadSecretFile(file)
	}
	secret, err := config.ReadSecret(a.In)
	if err != nil {
		return "", fmt.Errorf("stdin %w", err)
	}
	return secret, nil
}

// checkSubject holds a key that was named by a JWT to the configuration's secret and
// keys. Any other is as good as its name.
func checkSubject(who desk.Subject, cfg *config.Config) error {
	if who.JWT == "" {
		return nil
	}
	verifier, err := app.VerifierOf(cfg)
	if err != nil {
		return err
	}
	return desk.CheckSigned(who.JWT, verifier, time.Now())
}
