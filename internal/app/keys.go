package app

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/server"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// TokenKeys makes the keys that the configuration names; that of jwt_secret, which
// has no kid, comes first.
func TokenKeys(cfg *config.Config) ([]jwtauth.Key, error) {
	var keys []jwtauth.Key
	if secret := cfg.Application.Token.JWTSecret.Reveal(); secret != "" {
		key, err := jwtauth.NewHMACKey(cfg.Application.Token.Algorithm, []byte(secret))
		if err != nil {
			return nil, fmt.Errorf("application.token.jwt_secret: %w", err)
		}
		keys = append(keys, key)
	}
	for i, declared := range cfg.Application.Token.Keys {
		key, err := tokenKey(declared)
		if err != nil {
			return nil, fmt.Errorf("application.token.keys[%d] (kid %q): %w", i, declared.ID, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func tokenKey(declared config.TokenKey) (jwtauth.Key, error) {
	text, err := KeyText(declared)
	if err != nil {
		return jwtauth.Key{}, err
	}
	read := jwtauth.NewKeyFromPEM
	if IsSecret(declared) {
		read = jwtauth.NewHMACKey
	}
	if string(text) == config.ExampleSecret {
		return jwtauth.Key{}, errors.New("this is the published example; make a secret with `tykctl secret`")
	}
	key, err := read(declared.Algorithm, text)
	if err != nil {
		return jwtauth.Key{}, err
	}
	if key, err = key.WithID(declared.ID); err != nil {
		return jwtauth.Key{}, err
	}
	return key.Between(declared.NotBefore, declared.RetireAt), nil
}

// KeyText is a key as it is written: a secret, or PEM.
func KeyText(declared config.TokenKey) ([]byte, error) {
	switch {
	case declared.File == "":
		return []byte(declared.Secret.Reveal()), nil
	case !IsSecret(declared):
		return os.ReadFile(declared.File)
	}
	text, err := config.ReadSecretFile(declared.File)
	if err != nil {
		return nil, err
	}
	if err := config.CheckSecret(text); err != nil {
		return nil, fmt.Errorf("%s: %w", declared.File, err)
	}
	return []byte(text), nil
}

// IsSecret reports whether a key is one secret that both signs and verifies.
func IsSecret(declared config.TokenKey) bool { return strings.HasPrefix(declared.Algorithm, "HS") }

// CheckFiles reports all that is wrong with the keys and certificates that the
// configuration names.
func CheckFiles(cfg *config.Config) error {
	_, keys := TokenKeys(cfg)
	return errors.Join(keys, server.TLS(cfg.Server.TLS).Check(), redisTLS(cfg).Check(), upstreamTLS(cfg).Check())
}

// chooseKey chooses the key that signs new tokens at the time now: the one with
// this kid; without one that of jwt_secret, else of those that are in use and can
// sign the one whose use began last.
func chooseKey(keys []jwtauth.Key, kid string, now time.Time) (jwtauth.Key, error) {
	var newest jwtauth.Key
	for _, key := range keys {
		switch {
		case kid != "" && key.ID() == kid:
			return key, CheckSigner(key, now)
		case kid == "" && key.ID() == "":
			return key, nil
		case kid == "" && CheckSigner(key, now) == nil && !key.NotBefore().Before(newest.NotBefore()):
			newest = key
		}
	}
	switch {
	case kid != "":
		return jwtauth.Key{}, fmt.Errorf("no key of application.token.keys has the kid %q", kid)
	case newest.Algorithm() == "":
		return jwtauth.Key{}, errors.New("no key of application.token.keys can sign now; " +
			"one with a secret or a private key must be between its not_before and its retire_at")
	}
	return newest, nil
}

// CheckSigner reports whether a key can sign at the time now, or why not.
func CheckSigner(key jwtauth.Key, now time.Time) error {
	switch {
	case !key.CanSign():
		return fmt.Errorf("the key %q can only verify: its file holds a public key", key.ID())
	case !key.Active(now):
		return fmt.Errorf("the key %q is not in use now; see its not_before and retire_at", key.ID())
	}
	return nil
}

// Signer is chooseKey of a configuration's keys.
func Signer(cfg *config.Config, kid string) (jwtauth.Key, error) {
	keys, err := TokenKeys(cfg)
	if err != nil {
		return jwtauth.Key{}, err
	}
	return chooseKey(keys, kid, time.Now())
}

// VerifierOf is nil when cfg has no key.
func VerifierOf(cfg *config.Config) (*jwtauth.Verifier, error) {
	keys, err := TokenKeys(cfg)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	return jwtauth.NewVerifier(keys...)
}
