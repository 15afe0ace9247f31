package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *Program) docsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "docs",
		Short: "Write documentation",
		Example: `  tykctl docs man /usr/local/share/man/man1
  tykctl config reference`,
	})
	cmd.AddCommand(a.docsManCommand())
	return cmd
}

func (a *Program) docsManCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages into a folder",
		Long: `Writes a man page for tykctl and for each of its commands into a folder, and
creates the folder if needed. It overwrites only pages of the same name. The
environment variable SOURCE_DATE_EPOCH sets their date.

Exit codes: 0 written, 1 failed, 2 wrong usage.`,
		Example: `  tykctl docs man /usr/local/share/man/man1
  tykctl docs man man && man man/tykctl-token-gen.1`,
		Args: oneArg("a folder"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // man pages are for every user
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			unstar(root)
			name, _ := programVersion()
			return doc.GenManTree(root, &doc.GenManHeader{Source: fmt.Sprintf("tykctl %s", name)}, dir)
		},
	}
}

// unstar keeps the stars of route patterns, which are emphasis to the Markdown
// that man pages are made from.
func unstar(cmd *cobra.Command) {
	cmd.Long = strings.ReplaceAll(cmd.Long, "*", `\*`)
	for _, c := range cmd.Commands() {
		unstar(c)
	}
}
