package app

import (
	"crypto/tls"
	"log/slog"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/tlsfiles"
)

// redisTLS says how Redis and its Sentinels are met over TLS.
func redisTLS(cfg *config.Config) tlsfiles.ClientOptions {
	return clientTLS(cfg.Redis.TLSFiles, "redis.tls_")
}

// upstreamTLS says how an https backend is met.
func upstreamTLS(cfg *config.Config) tlsfiles.ClientOptions {
	return clientTLS(cfg.Upstream.TLS, "upstream.tls_")
}

func clientTLS(c config.ClientTLS, option string) tlsfiles.ClientOptions {
	return tlsfiles.ClientOptions{CA: c.CA, Cert: c.Cert, Key: c.Key, ServerName: c.ServerName, Option: option}
}

// storeTLS is nil if Redis is met without TLS.
func storeTLS(cfg *config.Config, logger *slog.Logger) (func(host string) *tls.Config, error) {
	if !cfg.Redis.TLS {
		return nil, nil
	}
	client, err := tlsfiles.NewClient(redisTLS(cfg), logger)
	if err != nil {
		return nil, err
	}
	return client.Config, nil
}

// BackendTLS is nil if there is no https target.
func BackendTLS(cfg *config.Config, logger *slog.Logger) (*tls.Config, error) {
	target := cfg.Application.TargetHost
	if target == nil || target.Scheme != "https" {
		return nil, nil
	}
	client, err := tlsfiles.NewClient(upstreamTLS(cfg), logger)
	if err != nil {
		return nil, err
	}
	return client.Config(target.Hostname()), nil
}
