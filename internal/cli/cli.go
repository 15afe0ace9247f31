// Package cli is the command line: one file for each command, with flags, help,
// completions, output and exit codes. It reads the configuration; internal/app wires
// what a gateway needs, and internal/desk holds what commands do to keys.
//
// Results go to stdout, everything else to stderr. A command returns an error;
// which exit code it becomes is decided in exit.go alone. A signal ends a
// command at once, whatever it waits for; the few that have something to finish
// ask for it with untilSignal.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/telemetry"
)

// Program is what all commands share: the streams, the environment, and the flags
// that choose the configuration.
type Program struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  func() []string
	Now      func() time.Time
	ignored  <-chan os.Signal // signals that serve outlives; nil for other commands
	remarks  app.Remarks      // of the Redis client
	Name     string           // how it was called, for lines to be pasted

	configFile string
	useEnv     bool
}

// Main runs the program and returns its exit code.
func Main() int {
	a := &Program{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ, Now: time.Now, Name: os.Args[0]}
	redis.SetLogger(&a.remarks) // one for the whole process, so here and nowhere else
	return a.Run(context.Background(), os.Args[1:])
}

// Run runs the command that args name, and returns its exit code.
func (a *Program) Run(ctx context.Context, args []string) int {
	defer a.flush()
	out := &output{to: a.Out}
	a.Out = out
	root := a.root()
	root.SetArgs(args)
	err := hyphenated(args, root.ExecuteContext(ctx))
	if out.readerLeft() {
		return ExitOK // as after `| head -1`: it has what it wanted
	}
	if err = cmp.Or(err, out.failed); err != nil {
		a.report(err)
	}
	return exitCode(err)
}

// lastLines is how long the end waits for the log's reader.
const lastLines = time.Second

// flush writes what serve has still to say, also while a panic ends the program.
func (a *Program) flush() {
	if log, ok := a.Err.(*telemetry.Queue); ok {
		log.Flush(lastLines)
	}
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM, so
// that a command can end in order. A second signal ends the program at once.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// The groups of the root's help: what one wants to do.
const (
	toRun     = "run"
	toHandOut = "keys"
	toWatch   = "limits"
	toLookUp  = "look"
)

func (a *Program) root() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "tykctl",
		Short: "An API gateway for JWTs and shared limits, and its command-line tool",
		Long: `tykctl is an API gateway: it verifies a client's JWT, looks up the key's record
in Redis, takes one permit from the key's limit and forwards the request. The
same program hands out the keys and looks after them.`,
		Example: `  tykctl serve --dev              try it: no Redis, no configuration
  tykctl token gen --limit 100    make a key and its token`,
		Version: buildVersion(),
	})
	root.SetVersionTemplate("tykctl {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(printHelpUsage)
	textFlag(root.PersistentFlags(), &a.configFile, "config", "file", "the configuration (default: ./config.json, if it exists)")
	root.PersistentFlags().BoolVar(&a.useEnv, "env", false, "let TYK_PROX_… environment variables override the file")

	root.AddGroup(
		&cobra.Group{ID: toRun, Title: "Run it:"},
		&cobra.Group{ID: toHandOut, Title: "Hand out keys:"},
		&cobra.Group{ID: toWatch, Title: "Watch limits:"},
		&cobra.Group{ID: toLookUp, Title: "Look after it:"},
	)
	in := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
		}
		root.AddCommand(commands...)
	}
	in(toRun, a.serveCommand(), a.healthCommand())
	in(toHandOut, a.tokenCommand(), a.secretCommand())
	in(toWatch, a.limitsCommand())
	in(toLookUp, a.doctorCommand(), a.configCommand(), a.docsCommand(), a.versionCommand())
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	_ = root.MarkPersistentFlagFilename("config", "json")
	root.SetHelpCommand(helpCommand())
	root.SetHelpCommandGroupID(toLookUp)
	root.SetCompletionCommandGroupID(toLookUp)
	root.InitDefaultCompletionCmd()
	a.adopt(root)
	return root
}

// load reads the configuration in its layers. flags are options given on the
// command line, by key; require names what the command cannot do without.
func (a *Program) load(flags map[string]string, require ...string) (*config.Config, error) {
	return a.loadFrom(config.Source{File: a.configFile, Flags: flags, Require: require})
}

func (a *Program) loadFrom(src config.Source) (*config.Config, error) {
	if a.useEnv {
		src.Env = a.Environ()
	}
	return config.Load(src)
}

// group makes a command that only holds others: alone it shows its help, and a
// word it does not know is wrong usage.
func group(cmd *cobra.Command) *cobra.Command {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += "\n\nExit codes: 0 done, 1 failed, 2 wrong usage; each command's help lists its own."
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("%q is not a command of %s", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += fmt.Sprintf("; did you mean %q?", near[0])
		}
		return usage(cmd, errors.New(text))
	}
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}

// oneArg wants one argument, and says what it is for.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(cmd, fmt.Errorf("%s takes %s, got %d arguments", cmd.CommandPath(), what, len(args)))
		}
		return nil
	}
}

// noArgs refuses arguments, as wrong usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usage(cmd, fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0]))
	}
	return nil
}
