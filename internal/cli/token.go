package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func (a *Program) tokenCommand() *cobra.Command {
	where := &store{}
	cmd := group(&cobra.Command{
		Use:   "token",
		Short: "Make, inspect, list, change and revoke keys and their tokens",
		Example: `  tykctl token gen --routes '/api/v1/test,GET /users/*' --limit 100
  tykctl token inspect eyJhbGciOi… --method GET --path /users/7`,
	})
	where.flags(cmd)
	where.searchFlag(cmd)
	cmd.AddCommand(a.tokenGenCommand(where), a.tokenInspectCommand(where), a.tokenListCommand(where),
		a.tokenUpdateCommand(where), a.tokenRevokeCommand(where))
	return cmd
}

// splitList reads a comma-separated list; a trailing comma is no fault.
func splitList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
