package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Option is the declaration of one option, as documentation shows it.
type Option struct {
	Key     string // full name in the JSON file, such as redis.addr
	Env     string // name in the environment
	Kind    string // integer, duration, list …
	Accepts string // the values it takes, in words
	Default string // "" is: not set
	Example string // value in the example file, where the default does not serve
	Help    string // what it means
	Secret  bool
}

type option struct {
	Option
	json shape
	set  func(c *Config, text string) error // leaves c alone on error
}

// opt declares an option. The default is text, read as any other layer's value.
func opt[T any](key, def, help string, field func(*Config) *T, k kind[T]) option {
	_, isSecret := any(*new(T)).(Secret)
	return option{
		Option: Option{
			Key: key, Env: envName(key), Kind: k.name, Accepts: k.accepts,
			Default: def, Help: help, Secret: isSecret,
		},
		json: k.json,
		set: func(c *Config, text string) error {
			value, err := k.parse(text)
			if err == nil {
				*field(c) = value
			}
			return err
		},
	}
}

func (o option) example(text string) option {
	o.Example = text
	return o
}

const envPrefix = "TYK_PROX_"

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

var options = []option{
	opt("application.target_host", "", "the backend that requests are passed on to",
		func(c *Config) **url.URL { return &c.Application.TargetHost }, target()).example("http://backend-whoami:80"),
	opt("application.ip", "0.0.0.0", "the address clients connect to",
		func(c *Config) *netip.Addr { return &c.Application.IP }, ip()),
	opt("application.port", "8080", "the port clients connect to; 0 picks a free one",
		func(c *Config) *int { return &c.Application.Port }, integer(0, 65535)),
	opt("application.preserve_host", "false", "pass on the client's Host header in place of the backend's own",
		func(c *Config) *bool { return &c.Application.PreserveHost }, boolean()),
	opt("application.strip_authorization", "false", "keep the client's Authorization header from the backend",
		func(c *Config) *bool { return &c.Application.StripAuthorization }, boolean()),
	opt("application.trusted_proxies", "", "peers whose X-Forwarded-* headers are believed",
		func(c *Config) *[]netip.Prefix { return &c.Application.TrustedProxies }, listOf(network())),
	opt("application.forward_auth", "false", "let trusted proxies ask at /auth whether a request may pass, which they then serve themselves",
		func(c *Config) *bool { return &c.Application.ForwardAuth }, boolean()),
	opt("application.max_body", "10MiB", "the largest request body let through; 0 is no limit",
		func(c *Config) *int64 { return &c.Application.MaxBody }, size()),
	opt("application.rate_limit.algorithm", "fixed_window", "how limits admit, unless a key's record names its algorithm",
		func(c *Config) *ratelimit.Algorithm { return &c.Application.RateLimit.Algorithm }, algorithm()),
	opt("application.rate_limit.window", "60s", "the window of a limit whose record names none",
		func(c *Config) *time.Duration { return &c.Application.RateLimit.Window }, window()),
	opt("application.rate_limit.burst", "0", "how many permits a token_bucket holds; 0 is as many as the limit; for records that name no algorithm",
		func(c *Config) *int { return &c.Application.RateLimit.Burst }, integer(0, unbounded)),
	opt("application.rate_limit.max_delay", "0s", "how long a leaky_bucket may hold a request back before it refuses; for records that name no algorithm",
		func(c *Config) *time.Duration { return &c.Application.RateLimit.MaxDelay }, maxDelay()),
	opt("application.token.jwt_secret", "", "the key that signs tokens: its bytes as they are written",
		func(c *Config) *Secret { return &c.Application.Token.JWTSecret }, signingSecret()).example(ExampleSecret),
	opt("application.token.algorithm", "HS256", "the algorithm that belongs to jwt_secret",
		func(c *Config) *string { return &c.Application.Token.Algorithm }, oneOf("HS256", "HS384", "HS512")),
	opt("application.token.keys", "", "further keys that tokens may be signed with and name by their kid",
		func(c *Config) *[]TokenKey { return &c.Application.Token.Keys }, tokenKeys()),
	opt("application.token.cache_size", "10000", "how many verified tokens are remembered to save their signature's check; 0 is none",
		func(c *Config) *int { return &c.Application.Token.CacheSize }, integer(0, unbounded)),
	opt("application.token.prefix", "token:", "what stands before the api_key in the Redis key of a record",
		func(c *Config) *string { return &c.Application.Token.Prefix }, keyPrefix()),

	opt("server_timeouts.readHeaderTimeout", "5s", "how long a request's header may take",
		func(c *Config) *time.Duration { return &c.Timeouts.ReadHeader }, timeout()),
	opt("server_timeouts.readTimeout", "30s", "how long a request's body may stall",
		func(c *Config) *time.Duration { return &c.Timeouts.Read }, timeout()),
	opt("server_timeouts.writeTimeout", "30s", "how long a client may stall while an answer is written",
		func(c *Config) *time.Duration { return &c.Timeouts.Write }, timeout()),
	opt("server_timeouts.idleTimeout", "60s", "how long a connection is kept between requests",
		func(c *Config) *time.Duration { return &c.Timeouts.Idle }, timeout()),

	opt("server.tls.cert", "", "the certificate and its chain, in PEM, to serve clients over TLS",
		func(c *Config) *string { return &c.Server.TLS.Cert }, path()),
	opt("server.tls.key", "", "the certificate's private key, in PEM",
		func(c *Config) *string { return &c.Server.TLS.Key }, path()),
	opt("server.tls.client_ca", "", "CA certificates, in PEM: clients must then show a certificate by one of them",
		func(c *Config) *string { return &c.Server.TLS.ClientCA }, path()),
	opt("server.access_log", "true", "log one line for each request",
		func(c *Config) *bool { return &c.Server.AccessLog }, boolean()),
	opt("server.max_connections", "0", "how many clients may be connected at a time; further ones wait. 0 is a third of the files this process may open",
		func(c *Config) *int { return &c.Server.MaxConnections }, integer(0, unbounded)),
	opt("server.max_in_flight", "0", "how many requests may be served at a time; further ones get 503. 0 is a third of the files this process may open",
		func(c *Config) *int { return &c.Server.MaxInFlight }, integer(0, unbounded)),
	opt("server.drain_delay", "3s", "how long to serve on after SIGTERM while /ready says no",
		func(c *Config) *time.Duration { return &c.Server.DrainDelay }, delay()),
	opt("server.drain_timeout", "15s", "how long requests in flight may take to finish after that",
		func(c *Config) *time.Duration { return &c.Server.DrainTimeout }, delay()),

	opt("upstream.connect_timeout", "3s", "how long connecting to the backend may take",
		func(c *Config) *time.Duration { return &c.Upstream.ConnectTimeout }, timeout()),
	opt("upstream.response_timeout", "30s", "how long the backend may take until its answer's header, and between two pieces of its body",
		func(c *Config) *time.Duration { return &c.Upstream.ResponseTimeout }, timeout()),

	opt("upstream.h2c", "false", "speak HTTP/2 without TLS to an http:// backend, as gRPC servers do",
		func(c *Config) *bool { return &c.Upstream.H2C }, boolean()),

	opt("redis.addr", "localhost:6379", "the Redis that holds records and counters",
		func(c *Config) *string { return &c.Redis.Addr }, hostPort()).example("tyk-redis:6379"),
	opt("redis.addrs", "", "in place of redis.addr: the nodes of a Cluster, or the Sentinels beside redis.master_name",
		func(c *Config) *[]string { return &c.Redis.Addrs }, listOf(hostPort())),
	opt("redis.cluster", "auto", "whether Redis is a Cluster; auto: several redis.addrs without redis.master_name are one, and a single address is asked",
		func(c *Config) *string { return &c.Redis.Cluster }, oneOf("auto", "on", "off")),
	opt("redis.master_name", "", "the name by which the Sentinels know the master",
		func(c *Config) *string { return &c.Redis.MasterName }, text()),
	opt("redis.username", "", "the Redis user",
		func(c *Config) *string { return &c.Redis.Username }, text()),
	opt("redis.password", "", "the Redis user's password",
		func(c *Config) *Secret { return &c.Redis.Password }, secret()),
	opt("redis.db", "0", "the database's number; a Cluster has 0 only",
		func(c *Config) *int { return &c.Redis.DB }, integer(0, unbounded)),
	opt("redis.tls", "false", "connect to Redis over TLS",
		func(c *Config) *bool { return &c.Redis.TLS }, boolean()),
	opt("redis.timeout", "250ms", "how long a request may wait for Redis in all",
		func(c *Config) *time.Duration { return &c.Redis.Timeout }, timeout()),
	opt("redis.cache_size", "100000", "how many keys are remembered to save round trips and for local mode; 0 is none",
		func(c *Config) *int { return &c.Redis.CacheSize }, integer(0, unbounded)),
	opt("redis.on_failure", "deny", "while Redis cannot settle a request: deny it with 503, or serve it by this instance's part of the key's limit",
		func(c *Config) *string { return &c.Redis.OnFailure }, oneOf("deny", "local")),
	opt("redis.grace", "30s", "how long after Redis last settled a request of a key local mode serves it",
		func(c *Config) *time.Duration { return &c.Redis.Grace }, timeout()),
	opt("redis.instances", "1", "how many gateways share the limits, so that local mode takes its part of them",
		func(c *Config) *int { return &c.Redis.Instances }, integer(1, unbounded)),

	opt("log.level", "Info", "the least severe level that is logged",
		func(c *Config) *string { return &c.Log.Level }, oneOf("Debug", "Info", "Warn", "Error", "Fatal")),
	opt("log.format", "console", "console for people, json for machines",
		func(c *Config) *string { return &c.Log.Format }, oneOf("json", "console")),
	opt("log.colored", "true", "colour the console format on a terminal",
		func(c *Config) *bool { return &c.Log.Colored }, boolean()),

	opt("monitoring.ip", "0.0.0.0", "the address metrics are served on",
		func(c *Config) *netip.Addr { return &c.Monitoring.IP }, ip()),
	opt("monitoring.scheme", "http", "how metrics are served",
		func(c *Config) *string { return &c.Monitoring.Scheme }, oneOf("http")),
	opt("monitoring.port", "9090", "the port metrics are served on; 0 picks a free one",
		func(c *Config) *int { return &c.Monitoring.Port }, integer(0, 65535)),
}

// Options returns every declaration, in order.
func Options() []Option {
	list := make([]Option, len(options))
	for i, o := range options {
		list[i] = o.Option
	}
	return list
}

// find returns the option with this key, in any letter case, or nil.
func find(key string) *option {
	for i := range options {
		if strings.EqualFold(options[i].Key, key) {
			return &options[i]
		}
	}
	return nil
}

// group returns the name of the group of options at this key, spelled as
// declared, or "".
func group(key string) string {
	for _, o := range options {
		if len(o.Key) > len(key) && o.Key[len(key)] == '.' && strings.EqualFold(o.Key[:len(key)], key) {
			return o.Key[:len(key)]
		}
	}
	return ""
}

func keys() []string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.Key
	}
	return names
}

func keysAndGroups() []string {
	names := keys()
	for _, key := range keys() {
		for i := strings.LastIndexByte(key, '.'); i >= 0; i = strings.LastIndexByte(key[:i], '.') {
			if !slices.Contains(names, key[:i]) {
				names = append(names, key[:i])
			}
		}
	}
	return names
}
