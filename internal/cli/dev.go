package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/embedded"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/server"
)

// devGrant is the key that is ready when serve --dev has started.
var devGrant = desk.Grant{
	Routes: []string{"/api/v1/test", "/api/v1/test2"},
	Limit:  10,
	TTL:    24 * time.Hour,
}

// serveDev runs a gateway that needs nothing beside this process.
func (a *Program) serveDev(ctx context.Context, target string) error {
	ctx, stop := untilHangup(ctx)
	defer stop()
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
		target, backend = echo.URL(), echo.URL()+" (in this process: echoes requests)"
	}
	cfg, err := a.devConfig(redis.Addr(), target)
	if err != nil {
		return err
	}
	in, err := a.open(cfg)
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := writeDevFile(cfg, in.Server)
	if err != nil {
		return err
	}
	remove := sync.OnceFunc(func() { _ = os.Remove(file) })
	defer remove()
	context.AfterFunc(ctx, remove) // at the first signal: a second ends the program at once
	token, err := desk.Issue(ctx, registry.New(in.Store), in.Key, devGrant)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, `tykctl for trying out: on loopback only, keeps nothing. Ctrl-C ends it.

  gateway  %s://%s
  metrics  http://%s/metrics
  backend  %s
  redis    %s (in this process)
  config   %s (removed at the end)

  Every command works with that configuration, for example:

%[7]s limits top --config %[6]s

  The token below allows %[8]d requests in each window of %[9]s:

%[10]s

`, app.Scheme(cfg), in.Server.Addr(), in.Server.MetricsAddr(), backend, redis.Addr(), file, a.Name,
		token.RateLimit, duration.Format(cfg.Application.RateLimit.Window), curlLine(token, app.Scheme(cfg)+"://"+in.Server.Addr().String()))
	if err != nil {
		return err
	}
	return in.Run(ctx)
}

// untilHangup also ends the context when the terminal is closed, unless that
// signal is ignored, as under nohup.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// writeDevFile writes what commands need to know of the running gateway into a
// file that only its owner can read.
func writeDevFile(cfg *config.Config, running *server.Server) (string, error) {
	type object = map[string]any
	token := object{"algorithm": cfg.Application.Token.Algorithm, "prefix": cfg.Application.Token.Prefix}
	if secret := cfg.Application.Token.JWTSecret.Reveal(); secret != "" {
		token["jwt_secret"] = secret
	}
	if keys := cfg.Application.Token.Keys; len(keys) > 0 {
		token["keys"] = devKeys(keys)
	}
	limit := cfg.Application.RateLimit
	front, side := netip.MustParseAddrPort(running.Addr().String()), netip.MustParseAddrPort(running.MetricsAddr().String())
	file := object{
		"application": object{
			"ip": front.Addr().String(), "port": front.Port(), "target_host": cfg.Application.TargetHost.String(), "token": token,
			"rate_limit": object{
				"algorithm": limit.Algorithm, "window": limit.Window.String(), "burst": limit.Burst, "max_delay": limit.MaxDelay.String(),
			},
		},
		"monitoring": object{"ip": side.Addr().String(), "port": side.Port()},
		"redis":      object{"addr": cfg.Redis.Addr},
	}
	tls := object{}
	for name, path := range map[string]string{"cert": cfg.Server.TLS.Cert, "key": cfg.Server.TLS.Key, "client_ca": cfg.Server.TLS.ClientCA} {
		if path != "" {
			tls[name] = absolute(path)
		}
	}
	if len(tls) > 0 {
		file["server"] = object{"tls": tls}
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "tykctl-dev-*.json") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func devKeys(keys []config.TokenKey) []map[string]any {
	var list []map[string]any
	for _, key := range keys {
		entry := map[string]any{"kid": key.ID, "algorithm": key.Algorithm}
		if key.File != "" {
			entry["file"] = absolute(key.File)
		} else {
			entry["secret"] = key.Secret.Reveal()
		}
		for name, at := range map[string]time.Time{"not_before": key.NotBefore, "retire_at": key.RetireAt} {
			if !at.IsZero() {
				entry[name] = at.Format(time.RFC3339)
			}
		}
		list = append(list, entry)
	}
	return list
}

// absolute is a path that means the same in every folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// devConfig is the configuration of --dev: what dev brings along overrides
// everything, and a file is read only when it was named. The secret is fresh unless
// one was set: tokens made elsewhere can be tried.
func (a *Program) devConfig(redis, target string) (*config.Config, error) {
	flags := map[string]string{
		"application.ip":          app.Loopback,
		"application.target_host": target,
		"monitoring.ip":           app.Loopback,
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
	if cfg.Application.Token.JWTSecret.Reveal() == "" || app.PublicSecret(cfg) {
		flags["application.token.jwt_secret"] = newSecret(secretBytes)
		return a.loadFrom(src)
	}
	return cfg, nil
}
