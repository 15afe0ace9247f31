package cli

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

// Sizes of a secret in random bytes.
const (
	secretBytes    = 48 // half as much again as HMAC-SHA256 can use, as in the original
	minSecretBytes = 32
	maxSecretBytes = 1024
)

func (a *Program) secretCommand() *cobra.Command {
	var size int
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Make a secret for signing tokens",
		Long: `Prints random bytes in base64, for application.token.jwt_secret. The text itself
is the key; nothing decodes it.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: `  tykctl secret
  export TYK_PROX_APPLICATION__TOKEN__JWT_SECRET="$(tykctl secret)"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if size < minSecretBytes || size > maxSecretBytes {
				return usage(cmd, fmt.Errorf("--bytes must be from %d to %d, not %d", minSecretBytes, maxSecretBytes, size))
			}
			_, err := fmt.Fprintln(a.Out, newSecret(size))
			return err
		},
	}
	cmd.Flags().IntVar(&size, "bytes", secretBytes, "how many random bytes")
	completeFlag(cmd, "bytes", "32", "48", "64")
	return cmd
}

func newSecret(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return base64.StdEncoding.EncodeToString(b)
}
