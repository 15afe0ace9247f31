package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/embedded"
)

// devGrant is the key that is ready when serve --dev has started.
var devGrant = grant{
	routes: []string{"/api/v1/test", "/api/v1/test2"},
	limit:  10,
	ttl:    24 * time.Hour,
}

// serveDev runs a gateway that needs nothing beside this process.
func (a *app) serveDev(ctx context.Context, target string) error {
	redis, err := embedded.StartRedis()
	if err != nil {
		return err
	}
	defer redis.Close()
	echo, err := embedded.StartEcho()
	if err != nil {
		return err
	}
	defer echo.Close()

	backend := target + " (yours)"
	if target == "" {
		target, backend = echo.URL(), echo.URL()+" (in this process: echoes what it is sent)"
	}
	cfg, err := a.devConfig(redis.Addr(), target)
	if err != nil {
		return err
	}
	in, err := a.open(cfg)
	if err != nil {
		return err
	}
	defer in.close()
	token, err := issue(ctx, in.ledger, in.key, devGrant)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, `tykctl for trying out: on loopback only, keeps nothing. Ctrl-C ends it.

  gateway  %s://%s
  metrics  http://%s/metrics
  backend  %s
  redis    %s (in this process; try: tykctl … --redis %[5]s)

  The token below may make %d requests in each window of %.0f s:

%s

`, scheme(cfg), in.server.Addr(), in.server.MetricsAddr(), backend, redis.Addr(),
		token.RateLimit, cfg.Application.RateLimit.Window.Seconds(), curlLine(token, scheme(cfg)+"://"+in.server.Addr().String()))
	if err != nil {
		return err
	}
	return in.run(ctx)
}

// devConfig is the configuration of --dev: what dev brings along overrides
// everything, and a file is read only when it was named. The secret is fresh
// unless one was set, so that tokens made elsewhere can be tried.
func (a *app) devConfig(redis, target string) (*config.Config, error) {
	flags := map[string]string{
		"application.ip":          loopback,
		"application.target_host": target,
		"monitoring.ip":           loopback,
		"redis.addr":              redis,
		"redis.addrs":             "",
		"redis.cluster":           "auto",
		"redis.master_name":       "",
		"redis.username":          "",
		"redis.password":          "",
		"redis.db":                "0",
		"redis.tls":               "false",
		"server.drain_delay":      "0s", // nobody balances load over a trial
	}
	src := config.Source{File: a.configFile, NoFile: a.configFile == "", Flags: flags}
	cfg, err := a.loadFrom(src)
	if err != nil {
		return nil, err
	}
	if cfg.Application.Token.JWTSecret.Reveal() == "" || publicSecret(cfg) {
		flags["application.token.jwt_secret"] = newSecret(secretBytes)
		return a.loadFrom(src)
	}
	return cfg, nil
}
