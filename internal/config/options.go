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
	opt("application.target_host", "", "the backend that requests are forwarded to",
		func(c *Config) **url.URL { return &c.Application.TargetHost }, target()).example("http://backend-whoami:80"),
	opt("application.ip", "0.0.0.0", "the address to listen on",
		func(c *Config) *netip.Addr { return &c.Application.IP }, ip()),
	opt("application.port", "8080", "the port to listen on; 0 picks a free one",
		func(c *Config) *int { return &c.Application.Port }, integer(0, 65535)),
	opt("application.preserve_host", "false", "forward the client's Host header instead of the backend's host",
		func(c *Config) *bool { return &c.Application.PreserveHost }, boolean()),
	opt("application.strip_authorization", "false", "remove the Authorization header before forwarding",
		func(c *Config) *bool { return &c.Application.StripAuthorization }, boolean()),
	opt("application.trusted_proxies", "", "proxies whose X-Forwarded-* headers are trusted",
		func(c *Config) *[]netip.Prefix { return &c.Application.TrustedProxies }, listOf(network())),
	opt("application.forward_auth", "false", "answer the trusted proxies at /auth, for requests that they serve themselves",
		func(c *Config) *bool { return &c.Application.ForwardAuth }, boolean()),
	opt("application.max_body", "10MiB", "the largest request body to accept; 0 means no limit",
		func(c *Config) *int64 { return &c.Application.MaxBody }, size()),
	opt("application.rate_limit.algorithm", "fixed_window", "the algorithm of limits whose record names none",
		func(c *Config) *ratelimit.Algorithm { return &c.Application.RateLimit.Algorithm }, algorithm()),
	opt("application.rate_limit.window", "60s", "the window of limits whose record names none",
		func(c *Config) *time.Duration { return &c.Application.RateLimit.Window }, window()),
	opt("application.rate_limit.burst", "0", "how many permits a token_bucket holds, if the record names no algorithm; 0 means as many as the limit",
		func(c *Config) *int { return &c.Application.RateLimit.Burst }, integer(0, unbounded)),
	opt("application.rate_limit.max_delay", "0s", "how long a leaky_bucket may delay a request before it refuses it, if the record names no algorithm",
		func(c *Config) *time.Duration { return &c.Application.RateLimit.MaxDelay }, maxDelay()),
	opt("application.cors.origins", "", "the origins whose pages may use the API from a browser, or * for all; without any, CORS is left to the backend",
		func(c *Config) *[]string { return &c.Application.CORS.Origins }, listOf(origin())),
	opt("application.cors.methods", "GET,HEAD,POST,PUT,PATCH,DELETE", "the methods that such pages may use",
		func(c *Config) *[]string { return &c.Application.CORS.Methods }, listOf(method())),
	opt("application.cors.headers", "Authorization,Content-Type", "the header fields that such pages may send",
		func(c *Config) *[]string { return &c.Application.CORS.Headers }, listOf(fieldName())),
	opt("application.cors.expose", "", "the fields of an answer that such pages may read, beside the gateway's own RateLimit fields, Retry-After and X-Request-Id",
		func(c *Config) *[]string { return &c.Application.CORS.Expose }, listOf(fieldName())),
	opt("application.cors.credentials", "false", "let such pages send cookies and client certificates along; then no list may hold *",
		func(c *Config) *bool { return &c.Application.CORS.Credentials }, boolean()),
	opt("application.cors.max_age", "10m", "how long a browser may remember the answer to a preflight",
		func(c *Config) *time.Duration { return &c.Application.CORS.MaxAge }, maxAge()),
	opt("application.token.jwt_secret", "", "the secret that signs tokens, used byte for byte as written",
		func(c *Config) *Secret { return &c.Application.Token.JWTSecret }, signingSecret()).example(ExampleSecret),
	opt("application.token.algorithm", "HS256", "the algorithm used with jwt_secret",
		func(c *Config) *string { return &c.Application.Token.Algorithm }, oneOf("HS256", "HS384", "HS512")),
	opt("application.token.keys", "", "more keys that may sign tokens; a token names its key by kid",
		func(c *Config) *[]TokenKey { return &c.Application.Token.Keys }, tokenKeys()),
	opt("application.token.cache_size", "10000", "how many verified tokens to remember, which saves verifying their signature again; 0 remembers none",
		func(c *Config) *int { return &c.Application.Token.CacheSize }, integer(0, unbounded)),
	opt("application.token.websocket_protocol", "", "a word such as bearer: the WebSocket subprotocol after which a browser may send the token as another one",
		func(c *Config) *string { return &c.Application.Token.WebSocketProtocol }, subprotocol()),
	opt("application.token.prefix", "token:", "the start of a record's Redis key, followed by the api_key",
		func(c *Config) *string { return &c.Application.Token.Prefix }, keyPrefix()),

	opt("server_timeouts.readHeaderTimeout", "5s", "how long a client may take to send a request's header",
		func(c *Config) *time.Duration { return &c.Timeouts.ReadHeader }, timeout()),
	opt("server_timeouts.readTimeout", "30s", "how long a client may pause while it sends a request's body",
		func(c *Config) *time.Duration { return &c.Timeouts.Read }, timeout()),
	opt("server_timeouts.writeTimeout", "30s", "how long a client may pause while it reads a response",
		func(c *Config) *time.Duration { return &c.Timeouts.Write }, timeout()),
	opt("server_timeouts.idleTimeout", "60s", "how long an idle client connection stays open",
		func(c *Config) *time.Duration { return &c.Timeouts.Idle }, timeout()),
	opt("server_timeouts.minBodyRate", "0", "the least rate of a request's body in bytes a second, averaged from its tenth second on; 0 is any. gRPC is exempt",
		func(c *Config) *int64 { return &c.Timeouts.MinBodyRate }, size()),

	opt("server.tls.cert", "", "the certificate chain for TLS with clients, in PEM",
		func(c *Config) *string { return &c.Server.TLS.Cert }, path()),
	opt("server.tls.key", "", "the certificate's private key, in PEM",
		func(c *Config) *string { return &c.Server.TLS.Key }, path()),
	opt("server.tls.client_ca", "", "CA certificates, in PEM; if set, clients must present a certificate that one of them signed",
		func(c *Config) *string { return &c.Server.TLS.ClientCA }, path()),
	opt("server.access_log", "true", "log a line for each request",
		func(c *Config) *bool { return &c.Server.AccessLog }, boolean()),
	opt("server.max_connections", "0", "how many clients may connect at once; more have to wait. 0 means just under a third of the files that the process may open",
		func(c *Config) *int { return &c.Server.MaxConnections }, integer(0, unbounded)),
	opt("server.max_in_flight", "0", "how many requests may be served at once; more get 503. 0 means just under a third of the files that the process may open",
		func(c *Config) *int { return &c.Server.MaxInFlight }, integer(0, unbounded)),
	opt("server.drain_delay", "3s", "how long to keep serving after SIGTERM, while /ready answers 503",
		func(c *Config) *time.Duration { return &c.Server.DrainDelay }, delay()),
	opt("server.drain_timeout", "15s", "how long requests in flight may take to finish after the drain_delay",
		func(c *Config) *time.Duration { return &c.Server.DrainTimeout }, delay()),

	opt("upstream.connect_timeout", "3s", "how long connecting to the backend may take",
		func(c *Config) *time.Duration { return &c.Upstream.ConnectTimeout }, timeout()),
	opt("upstream.response_timeout", "30s", "how long the backend may take to accept a piece of the request and, once it has the whole request, to send the response header",
		func(c *Config) *time.Duration { return &c.Upstream.ResponseTimeout }, timeout()),
	opt("upstream.idle_timeout", "5m", "how long the backend may pause within a response body",
		func(c *Config) *time.Duration { return &c.Upstream.IdleTimeout }, timeout()),
	opt("upstream.idle_connection", "4s", "how long an idle connection to the backend is kept, or less if the backend's Keep-Alive header says so; keep it below the backend's own limit, often 5s",
		func(c *Config) *time.Duration { return &c.Upstream.IdleConnection }, timeout()),

	opt("upstream.h2c", "false", "use HTTP/2 without TLS to an http:// backend, as gRPC servers expect",
		func(c *Config) *bool { return &c.Upstream.H2C }, boolean()),
	opt("upstream.tls_ca", "", "CA certificates, in PEM; one of them must have signed the backend's certificate. Not set: the system's CAs",
		func(c *Config) *string { return &c.Upstream.TLS.CA }, path()),
	opt("upstream.tls_cert", "", "the certificate chain to present to the backend, in PEM",
		func(c *Config) *string { return &c.Upstream.TLS.Cert }, path()),
	opt("upstream.tls_key", "", "that certificate's private key, in PEM",
		func(c *Config) *string { return &c.Upstream.TLS.Key }, path()),
	opt("upstream.tls_server_name", "", "the name that the backend's certificate must have. Not set: the target's host",
		func(c *Config) *string { return &c.Upstream.TLS.ServerName }, text()),

	opt("redis.addr", "localhost:6379", "the Redis server with records and counters",
		func(c *Config) *string { return &c.Redis.Addr }, hostPort()).example("tyk-redis:6379"),
	opt("redis.addrs", "", "the nodes of a Cluster, or with redis.master_name the Sentinels; replaces redis.addr",
		func(c *Config) *[]string { return &c.Redis.Addrs }, listOf(hostPort())),
	opt("redis.cluster", "auto", "whether Redis is a Cluster; with auto, several redis.addrs without redis.master_name mean a Cluster, and a single server is asked",
		func(c *Config) *string { return &c.Redis.Cluster }, oneOf("auto", "on", "off")),
	opt("redis.master_name", "", "the master's name, as the Sentinels know it",
		func(c *Config) *string { return &c.Redis.MasterName }, text()),
	opt("redis.username", "", "the Redis user",
		func(c *Config) *string { return &c.Redis.Username }, text()),
	opt("redis.password", "", "the Redis user's password",
		func(c *Config) *Secret { return &c.Redis.Password }, secret()),
	opt("redis.sentinel_username", "", "the user for the Sentinels, if they require one",
		func(c *Config) *string { return &c.Redis.SentinelUsername }, text()),
	opt("redis.sentinel_password", "", "the password for the Sentinels, if they require one; redis.password is not sent to them",
		func(c *Config) *Secret { return &c.Redis.SentinelPassword }, secret()),
	opt("redis.db", "0", "the database's number; a Cluster has only 0",
		func(c *Config) *int { return &c.Redis.DB }, integer(0, unbounded)),
	opt("redis.tls", "false", "connect to Redis over TLS",
		func(c *Config) *bool { return &c.Redis.TLS }, boolean()),
	opt("redis.tls_ca", "", "CA certificates, in PEM; one of them must have signed Redis's certificate. Not set: the system's CAs",
		func(c *Config) *string { return &c.Redis.TLSFiles.CA }, path()),
	opt("redis.tls_cert", "", "the certificate chain to present to Redis, in PEM",
		func(c *Config) *string { return &c.Redis.TLSFiles.Cert }, path()),
	opt("redis.tls_key", "", "that certificate's private key, in PEM",
		func(c *Config) *string { return &c.Redis.TLSFiles.Key }, path()),
	opt("redis.tls_server_name", "", "the name that Redis's certificate must have. Not set: the host in the address",
		func(c *Config) *string { return &c.Redis.TLSFiles.ServerName }, text()),
	opt("redis.timeout", "250ms", "how long a request may wait for Redis in total",
		func(c *Config) *time.Duration { return &c.Redis.Timeout }, timeout()),
	opt("redis.cache_size", "100000", "how many keys to remember, which saves round trips and serves local mode; 0 remembers none",
		func(c *Config) *int { return &c.Redis.CacheSize }, integer(0, unbounded)),
	opt("redis.on_failure", "deny", "what to do with requests while Redis is down: deny them with 503, or serve them locally with this instance's share of the limit",
		func(c *Config) *string { return &c.Redis.OnFailure }, oneOf("deny", "local")),
	opt("redis.grace", "30s", "how long local mode serves a key after Redis last answered for it",
		func(c *Config) *time.Duration { return &c.Redis.Grace }, timeout()),
	opt("redis.instances", "1", "how many gateways share the limits; local mode divides the limits by it",
		func(c *Config) *int { return &c.Redis.Instances }, integer(1, unbounded)),

	opt("log.level", "Info", "the least severe level to log",
		func(c *Config) *string { return &c.Log.Level }, oneOf("Debug", "Info", "Warn", "Error", "Fatal")),
	opt("log.format", "console", "the log's format: console for people, json for programs",
		func(c *Config) *string { return &c.Log.Format }, oneOf("json", "console")),
	opt("log.colored", "true", "colour the console format on a terminal",
		func(c *Config) *bool { return &c.Log.Colored }, boolean()),

	opt("monitoring.ip", "0.0.0.0", "the address to serve metrics on",
		func(c *Config) *netip.Addr { return &c.Monitoring.IP }, ip()),
	opt("monitoring.scheme", "http", "the protocol to serve metrics with",
		func(c *Config) *string { return &c.Monitoring.Scheme }, oneOf("http")),
	opt("monitoring.port", "9090", "the port to serve metrics on; 0 picks a free one",
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
