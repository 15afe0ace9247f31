package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// helpCommand replaces cobra's, which accepts a command that does not exist.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND…]",
		Short: "Explain a command",
		Long: `Shows a command's help, like --help after the command.

Exit codes: 0 done, 2 wrong usage.`,
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

// adopt makes the commands that cobra brings, for completions, like ours.
func (a *Program) adopt(root *cobra.Command) {
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	completion.Short = "Print a shell's completions"
	completion.Long = "Prints a script that completes commands, flags and api_keys in a shell."
	completion.Example = `  source <(tykctl completion bash)
  tykctl completion fish > ~/.config/fish/completions/tykctl.fish`
	group(completion)
	for _, shell := range completion.Commands() {
		name := shell.Name()
		shell.Short = "Print the completions for " + name
		shell.Args = noArgs
		shell.Long = fmt.Sprintf("Prints the completions for %s. To use them:\n\n%s\n\nExit codes: 0 done, 1 failed, 2 wrong usage.", name, completionUse[name])
		shell.Example = fmt.Sprintf("  tykctl completion %s\n  tykctl completion %[1]s --no-descriptions", name)
		if name == "bash" {
			shell.RunE = func(cmd *cobra.Command, _ []string) error {
				plain, err := cmd.Flags().GetBool("no-descriptions")
				if err != nil {
					return err
				}
				return a.completeBash(cmd.Root(), !plain)
			}
		}
	}
}

// completionUse says how each shell loads its completions.
var completionUse = map[string]string{
	"bash": `  now:      source <(tykctl completion bash)
  always:   tykctl completion bash > /etc/bash_completion.d/tykctl

It needs bash 4 or later; the package bash-completion is not required.`,
	"zsh": `  now:      source <(tykctl completion zsh)
  always:   tykctl completion zsh > "${fpath[1]}/_tykctl"

Your .zshrc must load completions: autoload -U compinit; compinit`,
	"fish": `  now:      tykctl completion fish | source
  always:   tykctl completion fish > ~/.config/fish/completions/tykctl.fish`,
	"powershell": `  now:      tykctl completion powershell | Out-String | Invoke-Expression
  always:   add that line to your profile`,
}

// completeBash prints bash's completions. Cobra's script calls a function of the
// package bash-completion to split the line, and fails at every Tab without it. The
// script gets a function that does without.
func (a *Program) completeBash(root *cobra.Command, descriptions bool) error {
	var script strings.Builder
	if err := root.GenBashCompletionV2(&script, descriptions); err != nil {
		return err
	}
	_, err := io.WriteString(a.Out, script.String()+bashSplit)
	return err
}

const bashSplit = `
# Without the package bash-completion the words are joined again here that bash
# splits at colons and equals signs.
__tykctl_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local i word join=
    words=()
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ $word == [:=] || -n $join ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        join=
        if [[ $word == [:=] ]]; then join=1; fi
        if ((i == COMP_CWORD)); then cword=$((${#words[@]} - 1)); fi
    done
    cur=${words[cword]}
    prev=${words[cword-1]}
}
`
