package cli

import (
	"net"
	"strconv"

	"github.com/tykctl/tykctl/internal/config"
)

const loopback = "127.0.0.1"

// publicSecret reports whether tokens are signed with the secret that the
// example configuration ships, which everybody knows.
func publicSecret(cfg *config.Config) bool {
	return cfg.Application.Token.JWTSecret.Reveal() == config.ExampleSecret
}

// scheme is http or https.
func scheme(cfg *config.Config) string {
	if cfg.Server.TLS.Cert != "" {
		return "https"
	}
	return "http"
}

// localAddr is where a gateway with this configuration answers on this host.
func localAddr(cfg *config.Config) string {
	host := "127.0.0.1"
	if ip := cfg.Application.IP; !ip.IsUnspecified() && !publicSecret(cfg) {
		host = ip.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(cfg.Application.Port))
}
