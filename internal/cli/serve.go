package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/gateway"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/server"
	"github.com/tykctl/tykctl/internal/telemetry"
	"github.com/tykctl/tykctl/internal/upstream"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// serveRequires are the options that have no default a gateway could run with.
var serveRequires = []string{"application.target_host", requireKey}

func (a *app) serveCommand() *cobra.Command {
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
			if dev {
				return a.serveDev(ctx, target)
			}
			flags := map[string]string{}
			if target != "" {
				flags["application.target_host"] = target
			}
			cfg, err := a.load(flags, serveRequires...)
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

func (a *app) serve(ctx context.Context, cfg *config.Config) error {
	in, err := a.open(cfg)
	if err != nil {
		return err
	}
	defer in.close()
	in.logger.Info("tykctl serves", "addr", in.server.Addr().String(), "target", cfg.Application.TargetHost.String(),
		"metrics", in.server.MetricsAddr().String(), "version", in.version)
	return in.run(ctx)
}

// installation is a gateway with everything it needs, ready to run.
type installation struct {
	version string
	logger  *slog.Logger
	server  *server.Server
	ledger  *ledger.Ledger
	key     jwtauth.Key // that signs; the zero Key if none can
	front   http.Handler
	side    http.Handler
}

// open wires a gateway as cfg says. The ports are open when it returns; nothing
// is served before run.
func (a *app) open(cfg *config.Config) (*installation, error) {
	logger, err := newLogger(a.err, cfg)
	if err != nil {
		return nil, err
	}
	keys, err := tokenKeys(cfg)
	if err != nil {
		return nil, err
	}
	verifier, err := jwtauth.NewVerifier(keys...)
	if err != nil {
		return nil, err
	}
	backend := upstream.New(upstreamOptions(cfg, logger))
	o := serverOptions(cfg, logger)
	o.OnDrain = backend.Drain
	listeners, err := server.Listen(o)
	if err != nil {
		return nil, err
	}
	if publicSecret(cfg) {
		logger.Warn("THE SECRET IS THE PUBLISHED EXAMPLE: anyone can make tokens for this gateway. " +
			"It listens on loopback only. Make a secret of your own with `tykctl secret` and set application.token.jwt_secret")
	}

	key, _ := chooseKey(keys, "", a.now()) // without one it only verifies
	name, goVersion := programVersion()
	metrics := telemetry.NewMetrics(name, goVersion)
	book := ledger.Open(a.ledgerOptions(cfg, logger, metrics))
	gw := &gateway.Gateway{
		Inbound: inbound.NewReader(inbound.Options{
			TrustedProxies: cfg.Application.TrustedProxies,
			MaxBody:        cfg.Application.MaxBody,
			ForwardAuth:    cfg.Application.ForwardAuth,
		}),
		Verifier: verifier.Remember(cfg.Application.Token.CacheSize),
		Ledger:   book,
		Upstream: backend,
		Now:      a.now,
		Observe:  metrics.Request,

		MaxInFlight: int64(server.Share(cfg.Server.MaxInFlight)),
	}
	if cfg.Server.AccessLog {
		gw.Log = server.AccessLog(logger)
	}
	ready := func() error { return errors.Join(listeners.Ready(), book.Ready()) }
	side := http.NewServeMux()
	side.Handle("GET /metrics", metrics.Handler())
	return &installation{
		version: name, logger: logger, server: listeners, ledger: book, key: key,
		front: server.WithHealth(metrics.InFlight(gw), ready),
		side:  side,
	}, nil
}

// ballastSize is that of memory which is never touched, and so costs none. The
// collector runs when the heap has doubled; ours is so small that this would be ten
// times a second, and each run delays the requests beside it by a millisecond.
const ballastSize = 16 << 20

// run serves until ctx ends and everything has finished.
func (in *installation) run(ctx context.Context) error {
	ballast := make([]byte, ballastSize)
	defer runtime.KeepAlive(ballast)
	watching, stop := context.WithCancel(context.Background()) // on through the drain
	var watch sync.WaitGroup
	watch.Go(func() { in.ledger.Watch(watching) })
	err := in.server.Run(ctx, in.front, in.side)
	stop()
	watch.Wait()
	return err
}

func (in *installation) close() {
	_ = in.server.Close() // closed already after run
	_ = in.ledger.Close()
}

func newLogger(w io.Writer, cfg *config.Config) (*slog.Logger, error) {
	colour := telemetry.ColourOff
	if cfg.Log.Colored {
		colour = telemetry.ColourAuto
		if cfg.Origin("log.colored") != config.OriginDefault {
			colour = telemetry.ColourOn // asked for, so also where no terminal is seen
		}
	}
	return telemetry.NewLogger(w, cfg.Log.Level, cfg.Log.Format, colour)
}

func serverOptions(cfg *config.Config, logger *slog.Logger) server.Options {
	ip, metricsIP := cfg.Application.IP.String(), cfg.Monitoring.IP.String()
	if publicSecret(cfg) {
		ip, metricsIP = loopback, loopback
	}
	return server.Options{
		Addr:        net.JoinHostPort(ip, strconv.Itoa(cfg.Application.Port)),
		MetricsAddr: net.JoinHostPort(metricsIP, strconv.Itoa(cfg.Monitoring.Port)),
		Timeouts: server.Timeouts{
			ReadHeader: cfg.Timeouts.ReadHeader, Read: cfg.Timeouts.Read,
			Write: cfg.Timeouts.Write, Idle: cfg.Timeouts.Idle,
		},
		TLS:          server.TLS(cfg.Server.TLS),
		Connections:  server.Share(cfg.Server.MaxConnections),
		DrainDelay:   cfg.Server.DrainDelay,
		DrainTimeout: cfg.Server.DrainTimeout,
		Logger:       logger,
	}
}

func (a *app) ledgerOptions(cfg *config.Config, logger *slog.Logger, metrics *telemetry.Metrics) ledger.Options {
	o := storeOptions(cfg)
	o.Now = a.now
	o.Logger, o.Observe, o.Watched, o.Events = logger, metrics.Redis, metrics.RedisUp, metrics
	o.Local, o.Grace, o.Instances = cfg.Redis.OnFailure == "local", cfg.Redis.Grace, cfg.Redis.Instances
	return o
}

// storeOptions are those that every command which talks to Redis shares.
func storeOptions(cfg *config.Config) ledger.Options {
	addrs := cfg.Redis.Addrs
	if len(addrs) == 0 {
		addrs = []string{cfg.Redis.Addr}
	}
	return ledger.Options{
		Addrs: addrs, MasterName: cfg.Redis.MasterName,
		Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		DB: cfg.Redis.DB, TLS: cfg.Redis.TLS,
		Timeout: cfg.Redis.Timeout,
		Prefix:  cfg.Application.Token.Prefix,
		DefaultLimit: ratelimit.Limit{
			Algorithm: cfg.Application.RateLimit.Algorithm,
			Window:    cfg.Application.RateLimit.Window,
			Burst:     int64(cfg.Application.RateLimit.Burst),
			MaxDelay:  cfg.Application.RateLimit.MaxDelay,
		},
		CacheSize: cfg.Redis.CacheSize,
	}
}

func upstreamOptions(cfg *config.Config, logger *slog.Logger) upstream.Options {
	return upstream.Options{
		Target:             cfg.Application.TargetHost,
		H2C:                cfg.Upstream.H2C,
		PreserveHost:       cfg.Application.PreserveHost,
		StripAuthorization: cfg.Application.StripAuthorization,
		ConnectTimeout:     cfg.Upstream.ConnectTimeout,
		ResponseTimeout:    cfg.Upstream.ResponseTimeout,
		BodyTimeout:        cfg.Timeouts.Read,
		MaxBody:            cfg.Application.MaxBody,
		Logger:             logger,
	}
}

const loopback = "127.0.0.1"

// publicSecret reports whether tokens are signed with the secret that the
// example configuration ships, which everybody knows.
func publicSecret(cfg *config.Config) bool {
	return cfg.Application.Token.JWTSecret.Reveal() == config.ExampleSecret
}
