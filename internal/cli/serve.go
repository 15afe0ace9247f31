package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/telemetry"
)

func (a *Program) serveCommand() *cobra.Command {
	var dev bool
	var target string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Runs the gateway until SIGTERM or Ctrl-C; then it finishes the requests under
way. A second signal ends it at once.

With --dev it needs nothing else: Redis and a backend that echoes requests run
in the same process, and the secret is fresh. It prints a curl line with a
token, and a configuration file with which the other commands work. It listens
on loopback only and keeps nothing; it removes the file at the end.

Exit codes: 0 ended in order, 1 failed, 2 wrong usage.`,
		Example: `  tykctl serve --config config.json --env
  tykctl serve --dev --target http://localhost:3000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			a.Err, a.ignored = telemetry.NewQueue(a.Err), outliveSignals()
			app.TuneCollector(a.getenv, os.DirFS("/"))
			if dev {
				return a.serveDev(ctx, target)
			}
			flags := map[string]string{}
			if target != "" {
				flags["application.target_host"] = target
			}
			cfg, err := a.load(flags, app.Required...)
			if err != nil {
				return err
			}
			return a.serve(ctx, cfg)
		},
	}
	cmd.Flags().BoolVar(&dev, "dev", false, "bring Redis, a backend, a secret and a token; loopback only")
	textFlag(cmd.Flags(), &target, "target", "URL", "the backend, in place of application.target_host")
	completeFlag(cmd, "target")
	return cmd
}

func (a *Program) serve(ctx context.Context, cfg *config.Config) error {
	in, err := a.open(cfg)
	if err != nil {
		return err
	}
	defer in.Close()
	in.Logger.Info("tykctl serves", "addr", in.Server.Addr().String(), "target", cfg.Application.TargetHost.String(),
		"metrics", in.Server.MetricsAddr().String(), "version", in.Version)
	return in.Run(ctx)
}

// open wires a gateway that logs to stderr.
func (a *Program) open(cfg *config.Config) (*app.Installation, error) {
	version, goVersion := programVersion()
	return app.Open(cfg, app.Options{
		Log: a.Err, Now: a.Now, Ignored: a.ignored, Remarks: &a.remarks, Version: version, GoVersion: goVersion,
	})
}
