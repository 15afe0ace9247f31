package app

import (
	"net"
	"strconv"

	"github.com/tykctl/tykctl/internal/config"
)

// Loopback is where a gateway listens that anyone could make tokens for.
const Loopback = "127.0.0.1"

// PublicSecret reports whether tokens are signed with the secret that the
// example configuration ships, which everybody knows.
func PublicSecret(cfg *config.Config) bool {
	return cfg.Application.Token.JWTSecret.Reveal() == config.ExampleSecret
}

// Scheme is http or https.
func Scheme(cfg *config.Config) string {
	if cfg.Server.TLS.Cert != "" {
		return "https"
	}
	return "http"
}

// LocalAddr is where a gateway with this configuration answers on this host.
func LocalAddr(cfg *config.Config) string {
	host := "127.0.0.1"
	if ip := cfg.Application.IP; !ip.IsUnspecified() && !PublicSecret(cfg) {
		host = ip.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(cfg.Application.Port))
}
