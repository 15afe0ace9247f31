package config

import (
	"fmt"
	"slices"
	"strings"
)

// Warnings returns what is legal, but looks like a mistake. It never holds a secret.
func (c *Config) Warnings() []Fault { return slices.Clone(c.warnings) }

func (c *Config) warn(origin Origin, key, text string) {
	c.warnings = append(c.warnings, Fault{Key: key, Origin: origin, Text: text})
}

// suspect adds the warnings. foreign are the variables that Kubernetes set.
func (c *Config) suspect(foreign []string) {
	c.suspectServices(foreign)
	const proxies, addr = "application.trusted_proxies", "redis.addr"
	for _, network := range c.Application.TrustedProxies {
		if network.Bits() == 0 {
			c.warn(c.Origin(proxies), proxies, network.String()+" trusts every peer, so any client can claim any address; list only your proxies")
		}
	}
	if len(c.Redis.Addrs) > 0 && c.Origin(addr) != OriginDefault {
		c.warn(c.Origin(addr), addr, "ignored, because redis.addrs replaces it; set only one of the two")
	}
}

func (c *Config) suspectServices(names []string) {
	if len(names) == 0 {
		return
	}
	key := names[0]
	if more := len(names) - 1; more > 0 {
		key += fmt.Sprintf(" and %d more", more)
	}
	c.warn(OriginEnv, key, "ignored: Kubernetes sets such variables for a Service whose name begins with tyk-prox; "+
		"set enableServiceLinks: false in the pod's spec, or rename the Service")
}

// Unread returns the names of options' variables in an environment, as from
// os.Environ, for a warning where it is not read.
func Unread(environ []string) []string {
	var names []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && byEnv(strings.TrimSuffix(name, fileSuffix)) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
