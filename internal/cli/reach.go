package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// reach is how an operator's command reaches the keys: the options that its flags
// put in place of the configuration's.
type reach struct {
	redis, prefix      string
	secret, secretFile string
}

func (r *reach) storeFlags(f *pflag.FlagSet) {
	f.StringVar(&r.redis, "redis", "", "Redis' `host:port`, several with commas for a Cluster (default: the configuration's)")
	f.StringVar(&r.prefix, "prefix", "", `what stands before the api_key in the record's name (default: the configuration's, "token:")`)
}

func (r *reach) secretFlags(f *pflag.FlagSet) {
	f.StringVar(&r.secretFile, "secret-file", "", "a `file` that holds the secret of tokens, - for stdin (default: the configuration's)")
	f.StringVar(&r.secret, "secret", "", "the secret itself; other users of this host can see it there")
}

func (r *reach) check() error {
	if r.secret != "" && r.secretFile != "" {
		return errors.New("--secret and --secret-file are two secrets: give one")
	}
	return nil
}

// maxSecretFile is more than any secret has.
const maxSecretFile = 64 << 10

// loadReach reads the configuration with the flags in place.
func (a *app) loadReach(r *reach, require ...string) (*config.Config, error) {
	flags := storeFlags(r.redis)
	if r.prefix != "" {
		flags["application.token.prefix"] = r.prefix
	}
	secret := r.secret
	if r.secretFile != "" {
		var err error
		if secret, err = a.readSecret(r.secretFile); err != nil {
			return nil, err
		}
	}
	if secret != "" {
		flags["application.token.jwt_secret"] = secret
	}
	return a.load(flags, require...)
}

// readSecret takes the line break that editors leave for no part of the secret.
func (a *app) readSecret(file string) (string, error) {
	in := a.in
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // The operator named it.
		if err != nil {
			return "", fmt.Errorf("--secret-file: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSecretFile))
	if err != nil {
		return "", fmt.Errorf("--secret-file: %w", err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return "", fmt.Errorf("--secret-file: %s holds no secret", file)
	}
	return string(text), nil
}

// signingKey is the key that cfg's tokens are signed with.
func signingKey(cfg *config.Config) (jwtauth.Key, error) {
	return jwtauth.NewHMACKey(cfg.Application.Token.Algorithm, []byte(cfg.Application.Token.JWTSecret.Reveal()))
}

// verifierOf is nil when cfg has no secret.
func verifierOf(cfg *config.Config) (*jwtauth.Verifier, error) {
	if cfg.Application.Token.JWTSecret.Reveal() == "" {
		return nil, nil
	}
	key, err := signingKey(cfg)
	if err != nil {
		return nil, err
	}
	return jwtauth.NewVerifier(key)
}

// withStore gives run a ledger to work on, and says of its faults where Redis was
// sought.
func withStore(cfg *config.Config, run func(*ledger.Ledger) error) error {
	book := openStore(cfg)
	defer func() { _ = book.Close() }()
	return storeError(run(book), cfg)
}

// briefly bounds the waiting of a command that asks Redis for several things.
func briefly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, storeWait)
}
