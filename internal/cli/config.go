package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
)

func (a *Program) configCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "config",
		Short: "Check and show the configuration",
		Example: `  tykctl config check --config config.json --env
  tykctl config show`,
	})
	cmd.AddCommand(a.configCheckCommand(), a.configShowCommand(), a.configReferenceCommand())
	return cmd
}

func (a *Program) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Report all faults of the configuration",
		Long: `Reads the configuration as serve does and reports all its faults at once.
Settings that are legal but look like a mistake are warnings on stderr.

Exit codes: 0 no faults, 1 there are some, 2 wrong usage.`,
		Example: `  tykctl config check
  tykctl config check --config /etc/tykctl/config.json --env`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.load(nil, app.Required...)
			if err != nil {
				return err
			}
			if err := app.CheckFiles(cfg); err != nil {
				return err
			}
			a.warnOf(cfg)
			_, err = fmt.Fprintf(a.Out, "%s: nothing is wrong\n", fileOf(cfg))
			return err
		},
	}
}

// warnOf writes what is legal, but looks like a mistake.
func (a *Program) warnOf(cfg *config.Config) {
	for _, w := range cfg.Warnings() {
		fmt.Fprintf(a.Err, "tykctl: warning: %s\n", w)
	}
	if a.useEnv {
		return
	}
	if names := config.Unread(a.Environ()); len(names) > 0 {
		fmt.Fprintf(a.Err, "tykctl: warning: %s is set, but variables are read only with --env\n", names[0])
	}
}

// fileOf is the file that a configuration is from.
func fileOf(cfg *config.Config) string { return cmp.Or(cfg.File, "the defaults") }

func (a *Program) configShowCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show each option's value and where it came from",
		Long: `Shows every option with the layer that set it (default, file, env or flag, or
the file that a variable such as TYK_PROX_REDIS__PASSWORD_FILE names) and its
value. Secrets are hidden.

Exit codes: 0 done, 1 the configuration has faults, 2 wrong usage.`,
		Example: `  tykctl config show --env
  tykctl config show -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return usage(cmd, err)
			}
			cfg, err := a.load(nil)
			if err != nil {
				return err
			}
			return showConfig(a.Out, cfg, output)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func showConfig(w io.Writer, cfg *config.Config, output string) error {
	values := cfg.Values()
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(values)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range values {
		text := v.Text
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Key, v.SetBy(), text)
	}
	return table.Flush()
}

func (a *Program) configReferenceCommand() *cobra.Command {
	var asEnv bool
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "Print every option as a Markdown table",
		Long: `Prints every option with its environment variable, its default and its meaning.
A variable with _FILE after its name names a file that holds the value.

Exit codes: 0 done, 2 wrong usage.`,
		Example: `  tykctl config reference
  tykctl config reference --as-env > .env`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			text := config.Reference()
			if asEnv {
				text = config.EnvExample()
			}
			_, err := io.WriteString(a.Out, strings.TrimRight(text, "\n")+"\n")
			return err
		},
	}
	cmd.Flags().BoolVar(&asEnv, "as-env", false, "as lines for a shell to source")
	return cmd
}
