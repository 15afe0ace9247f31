package cli

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

// secretBytes is half as much again as HMAC-SHA256 can use, as in the original.
const secretBytes = 48

func (a *app) secretCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "secret",
		Short: "Make a secret for signing tokens",
		Long: `Prints 48 random bytes in base64, for application.token.jwt_secret.
The text itself is the key, as it stands: it is not decoded.

Exit codes: 0 fine, 2 wrong usage.`,
		Example: `  tykctl secret
  export TYK_PROX_APPLICATION__TOKEN__JWT_SECRET="$(tykctl secret)"`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, newSecret())
			return err
		},
	}
}

func newSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return base64.StdEncoding.EncodeToString(b)
}
