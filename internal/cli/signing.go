package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/pkg/jwtauth"
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
func (a *app) loadWith(where *store, with *signing, require ...string) (*config.Config, error) {
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
func (a *app) readSecret(file string) (string, error) {
	if file != "-" {
		return config.ReadSecretFile(file)
	}
	secret, err := config.ReadSecret(a.in)
	if err != nil {
		return "", fmt.Errorf("stdin %w", err)
	}
	return secret, nil
}

// checkSigned reports whether a JWT was signed with the configuration's secret.
// Its time may be over: it still names a key of ours. One with another fault could
// be read in two ways, and is not believed.
func checkSigned(jwt string, cfg *config.Config) error {
	verifier, err := verifierOf(cfg)
	if err != nil {
		return err
	}
	if verifier == nil {
		return errors.New("the JWT's signature cannot be checked without application.token.jwt_secret or keys; set one, or name the key by its api_key")
	}
	if _, err = verifier.Verify(jwt, time.Now()); err != nil && !errors.Is(err, jwtauth.ErrExpired) {
		return fmt.Errorf("%w: %w", errNotValid, err)
	}
	return nil
}
