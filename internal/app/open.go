package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/gateway"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/server"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/telemetry"
	"github.com/tykctl/tykctl/internal/upstream"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Required are the options that have no default a gateway could run with.
var Required = []string{"application.target_host", RequireKey}

// RequireKey names the options of which one must be set for anything to do with tokens.
const RequireKey = "application.token.jwt_secret|application.token.keys"

// Installation is a gateway with everything it needs, ready to run.
type Installation struct {
	Version string
	Log     *telemetry.Queue
	Logger  *slog.Logger
	ignored <-chan os.Signal
	Server  *server.Server
	Store   *storage.Store
	Ledger  *ledger.Ledger
	Key     jwtauth.Key // that signs; the zero Key if none can
	front   http.Handler
	side    http.Handler
}

// Options is what a gateway needs beside its configuration.
type Options struct {
	Log     io.Writer        // takes the log; one that is no [telemetry.Queue] gets one in front of it
	Now     func() time.Time // the clock of permits, tokens and keys
	Ignored <-chan os.Signal // signals to log while the gateway runs; may be nil
	Remarks *Remarks         // of the Redis client; may be nil

	Version, GoVersion string // in tykctl_build_info
}

// Open wires a gateway as cfg says. The ports are open when it returns; nothing
// is served before run. The caller must call close, also after run. The error says
// which option is wrong, or which port is taken.
func Open(cfg *config.Config, with Options) (*Installation, error) {
	log, ok := with.Log.(*telemetry.Queue)
	if !ok {
		log = telemetry.NewQueue(with.Log)
	}
	logger, err := newLogger(log, cfg)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings() {
		logger.Warn("the configuration looks mistaken", "option", w.Key, "problem", w.Text)
	}
	keys, err := TokenKeys(cfg)
	if err != nil {
		return nil, err
	}
	if with.Remarks != nil {
		with.Remarks.to.Store(logger)
	}
	verifier, err := jwtauth.NewVerifier(keys...)
	if err != nil {
		return nil, err
	}
	policy, err := cors.New(cors.Options(cfg.Application.CORS), gateway.Exposed...)
	if err != nil {
		return nil, err
	}
	toBackend, err := upstreamOptions(cfg, logger)
	if err != nil {
		return nil, err
	}
	backend := upstream.New(toBackend)
	files := server.ShareFiles(cfg.Server.MaxConnections, cfg.Server.MaxInFlight)
	if warning := files.Warning(); warning != "" {
		logger.Warn("the limit of open files is low", "problem", warning)
	}
	o := serverOptions(cfg, files, logger)
	draining := make(chan struct{})
	o.OnDrain = func() { close(draining); backend.Drain() }
	var gw *gateway.Gateway
	o.Refuse = func(w http.ResponseWriter, r *http.Request, fault error) { gw.Refuse(w, r, fault) }
	listeners, err := server.Listen(o)
	if err != nil {
		return nil, err
	}
	if PublicSecret(cfg) {
		logger.Warn("THE SECRET IS THE PUBLISHED EXAMPLE: anyone can make tokens for this gateway. " +
			"It listens on loopback only. Make a secret of your own with `tykctl secret` and set application.token.jwt_secret")
	}

	key, _ := chooseKey(keys, "", with.Now()) // without one it only verifies
	metrics := telemetry.NewMetrics(with.Version, with.GoVersion, log.Dropped)
	toStore, err := servingStore(cfg, with.Now, logger, metrics)
	if err != nil {
		return nil, errors.Join(err, listeners.Close())
	}
	toStore.Connections = files.Redis
	opened := storage.Open(toStore)
	book := ledger.New(opened, ledgerOptions(cfg, metrics))
	gw = &gateway.Gateway{
		Inbound: inbound.NewReader(inbound.Options{
			TrustedProxies: cfg.Application.TrustedProxies,
			MaxBody:        cfg.Application.MaxBody,
			ForwardAuth:    cfg.Application.ForwardAuth,

			WebSocketProtocol: cfg.Application.Token.WebSocketProtocol,
			OnUnreadable:      unreadable(logger),
		}),
		Verifier: verifier.Remember(cfg.Application.Token.CacheSize),
		Ledger:   book,
		Upstream: backend,
		Now:      with.Now,
		CORS:     policy,
		Observe:  metrics.Request,
		Logger:   logger,
		Draining: draining,

		MaxInFlight: int64(files.InFlight),
	}
	if cfg.Server.AccessLog {
		gw.Log = server.AccessLog(logger)
	}
	ready := func() error { return errors.Join(listeners.Ready(), book.Ready()) }
	side := http.NewServeMux()
	side.Handle("GET /metrics", metrics.Handler())
	return &Installation{
		Version: with.Version, Log: log, Logger: logger, ignored: with.Ignored,
		Server: listeners, Store: opened, Ledger: book, Key: key,
		front: server.WithHealth(metrics.InFlight(gw), ready),
		side:  side,
	}, nil
}

// unreadable logs what a trusted proxy wrote that is no address: once a minute at
// most, for a proxy that is set up wrongly writes it into every request.
func unreadable(logger *slog.Logger) func(peer, element string) {
	var last atomic.Int64
	return func(peer, element string) {
		now, before := time.Now().Unix(), last.Load()
		if now-before < 60 || !last.CompareAndSwap(before, now) {
			return
		}
		logger.Warn("X-Forwarded-For from a trusted proxy holds something that is not an address: the clients before it are unknown",
			"proxy", peer, "element", element)
	}
}

// Run serves until ctx ends and everything has finished.
func (in *Installation) Run(ctx context.Context) error {
	watching, stop := context.WithCancel(context.Background()) // on through the drain
	var watch sync.WaitGroup
	watch.Go(func() { in.Ledger.Watch(watching) })
	watch.Go(func() { in.noteIgnored(watching) })
	err := in.Server.Run(ctx, in.front, in.side)
	stop()
	watch.Wait()
	return err
}

// noteIgnored logs the signals that serve outlives, until ctx ends.
func (in *Installation) noteIgnored(ctx context.Context) {
	for {
		select {
		case s := <-in.ignored:
			in.Logger.Warn("signal ignored: the configuration is read at the start only, so restart to change it", "signal", s.String())
		case <-ctx.Done():
			return
		}
	}
}

// Close frees ports and connections. It does not wait for requests: Run does.
func (in *Installation) Close() {
	_ = in.Server.Close() // closed already after run
	_ = in.Store.Close()
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

func serverOptions(cfg *config.Config, files server.Files, logger *slog.Logger) server.Options {
	ip, metricsIP := cfg.Application.IP.String(), cfg.Monitoring.IP.String()
	if PublicSecret(cfg) {
		ip, metricsIP = Loopback, Loopback
	}
	return server.Options{
		Addr:        net.JoinHostPort(ip, strconv.Itoa(cfg.Application.Port)),
		MetricsAddr: net.JoinHostPort(metricsIP, strconv.Itoa(cfg.Monitoring.Port)),
		Timeouts: server.Timeouts{
			ReadHeader: cfg.Timeouts.ReadHeader, Read: cfg.Timeouts.Read,
			Write: cfg.Timeouts.Write, Idle: cfg.Timeouts.Idle,
		},
		TLS:                server.TLS(cfg.Server.TLS),
		Connections:        files.Connections,
		DrainDelay:         cfg.Server.DrainDelay,
		MetricsConnections: files.Metrics,
		DrainTimeout:       cfg.Server.DrainTimeout,
		Logger:             logger,
	}
}

// servingStore are the options of the store that requests are served from.
func servingStore(cfg *config.Config, now func() time.Time, logger *slog.Logger, metrics *telemetry.Metrics) (o storage.Options, err error) {
	o = StoreOptions(cfg)
	if o.TLS, err = storeTLS(cfg, logger); err != nil {
		return o, err
	}
	o.Now = now
	o.Logger, o.Observe, o.Events = logger, metrics.Redis, metrics
	return o, nil
}

func ledgerOptions(cfg *config.Config, metrics *telemetry.Metrics) ledger.Options {
	return ledger.Options{
		CacheSize: cfg.Redis.CacheSize,
		Local:     cfg.Redis.OnFailure == "local", Grace: cfg.Redis.Grace, Instances: cfg.Redis.Instances,
		Events: metrics, Watched: metrics.RedisUp,
	}
}

// StoreAddrs is where Redis, or its Sentinels, are.
func StoreAddrs(cfg *config.Config) []string {
	if len(cfg.Redis.Addrs) == 0 {
		return []string{cfg.Redis.Addr}
	}
	return cfg.Redis.Addrs
}

// StoreOptions are those that every command which talks to Redis shares, but for
// TLS.
func StoreOptions(cfg *config.Config) storage.Options {
	return storage.Options{
		Addrs: StoreAddrs(cfg), MasterName: cfg.Redis.MasterName, Cluster: cfg.Redis.Cluster,
		Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		DB: cfg.Redis.DB,

		SentinelUsername: cfg.Redis.SentinelUsername, SentinelPassword: cfg.Redis.SentinelPassword.Reveal(),

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

func upstreamOptions(cfg *config.Config, logger *slog.Logger) (upstream.Options, error) {
	secure, err := BackendTLS(cfg, logger)
	return upstream.Options{
		TLS:                secure,
		Target:             cfg.Application.TargetHost,
		H2C:                cfg.Upstream.H2C,
		PreserveHost:       cfg.Application.PreserveHost,
		StripAuthorization: cfg.Application.StripAuthorization,
		ConnectTimeout:     cfg.Upstream.ConnectTimeout,
		ResponseTimeout:    cfg.Upstream.ResponseTimeout,
		IdleTimeout:        cfg.Upstream.IdleTimeout,
		IdleConnection:     cfg.Upstream.IdleConnection,
		BodyTimeout:        cfg.Timeouts.Read,
		MaxBody:            cfg.Application.MaxBody,
		MinBodyRate:        cfg.Timeouts.MinBodyRate,
		Logger:             logger,
	}, err
}
