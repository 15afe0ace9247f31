package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpCommand replaces cobra's, which does not mind a command that is not there.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND…]",
		Short: "Explain a command",
		Long: `Shows what a command is for, as --help behind it does.

Exit codes: 0 fine, 2 wrong usage.`,
		Example: `  tykctl help token gen
  tykctl help limits show`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			of, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, c := range of.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(cmd, fmt.Errorf("%q is not a command", strings.Join(args, " ")))
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// adopt brings the commands that cobra makes, for completions, to the manners
// of ours.
func adopt(root *cobra.Command) {
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	completion.Short = "Print a shell's completions"
	completion.Long = "Prints the script that completes commands, options and api_keys in a shell."
	completion.Example = `  source <(tykctl completion bash)
  tykctl completion fish > ~/.config/fish/completions/tykctl.fish`
	group(completion)
	for _, shell := range completion.Commands() {
		shell.Args = noArgs
		shell.Long = strings.TrimSpace(shell.Long) + "\n\nExit codes: 0 fine, 1 failed, 2 wrong usage."
		shell.Example = fmt.Sprintf("  tykctl completion %s\n  tykctl completion %[1]s --no-descriptions", shell.Name())
	}
}
