package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the width of every help text, in columns.
const helpWidth = 80

// textValue is a flag for a text. Help names its kind, such as file, without the
// backquotes that pflag would want in the usage: completions show those as they are.
type textValue struct {
	into *string
	kind string
}

func (v textValue) Set(text string) error { *v.into = text; return nil }
func (v textValue) String() string        { return *v.into }
func (v textValue) Type() string          { return v.kind }

// textFlag declares a flag for a text; what into holds is its default.
func textFlag(f *pflag.FlagSet, into *string, name, kind, usage string) {
	f.Var(textValue{into, kind}, name, usage)
}

// flagError says what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %s", e.GetFlag().Name, wrongValue(e))
	} else if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		err = fmt.Errorf("--%s needs a value", e.GetFlag().Name)
	} else if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() != "" {
		err = fmt.Errorf("unknown flag: -%s", e.GetSpecifiedName())
	}
	return usage(cmd, err)
}

func wrongValue(e *pflag.InvalidValueError) string {
	switch kind := e.GetFlag().Value.Type(); {
	case errors.Is(e, strconv.ErrRange):
		return fmt.Sprintf("must be a smaller number, not %s", e.GetValue())
	case kind == "bool":
		return fmt.Sprintf("is true or false, not %q", e.GetValue())
	case strings.HasPrefix(kind, "int"):
		return fmt.Sprintf("must be a whole number, not %q", e.GetValue())
	}
	return e.Unwrap().Error()
}

// printHelpUsage prints what stands in a command's help below its description.
// It is cobra's own text, held to helpWidth.
func printHelpUsage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	switch {
	case cmd.HasAvailableSubCommands():
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	default:
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	list := func(title, group string) {
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, c := range cmd.Commands() {
			if c.GroupID == group && (c.IsAvailableCommand() || c.Name() == "help") {
				fmt.Fprintf(&b, "  %-*s %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	for _, g := range cmd.Groups() {
		list(g.Title, g.ID)
	}
	if cmd.HasAvailableSubCommands() && len(cmd.Groups()) == 0 {
		list("Commands:", "")
	}
	for _, part := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"Flags", cmd.LocalFlags()}, {"Flags of all commands", cmd.InheritedFlags()}} {
		if part.flags.HasAvailableFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s\n", part.title, strings.TrimRight(part.flags.FlagUsagesWrapped(helpWidth), "\n"))
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n'%s COMMAND --help' explains a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}
