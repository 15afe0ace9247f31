// Package config declares every option of tykctl once and loads them, in
// layers: flag over environment over JSON file over default.
//
// One record per option (options.go) holds its key, default, help, kind and
// field; its name in the environment, its checks, the reference and the example
// environment file all follow from that record. Loading is strict: everything
// wrong in any layer is reported at once, by full key, and nothing is guessed.
//
// Only package cli may import this one: every other package takes its settings
// as arguments. Nothing that acts on a setting belongs here.
package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// Config holds the settings in effect, nested as in the JSON file.
type Config struct {
	Application Application
	Timeouts    Timeouts // server_timeouts in the file
	Server      Server
	Upstream    Upstream
	Redis       Redis
	Log         Log
	Monitoring  Monitoring

	File string // the file that was read, "" if none

	values   []Value
	warnings []Fault
}

// Application is the gateway as its clients see it.
type Application struct {
	TargetHost         *url.URL // scheme and host only; nil when not set
	IP                 netip.Addr
	Port               int // 0 picks a free one
	PreserveHost       bool
	StripAuthorization bool
	ForwardAuth        bool           // answer /auth
	TrustedProxies     []netip.Prefix // masked; an IPv4 address is never in IPv6 form
	MaxBody            int64          // bytes; 0 is no limit
	RateLimit          RateLimit
	CORS               CORS
	Token              Token
}

// CORS is what pages of other origins may do; without Origins it is off. Fields and
// order are those of cors.Options.
type CORS struct {
	Origins     []string
	Methods     []string
	Headers     []string
	Expose      []string
	MaxAge      time.Duration // whole seconds
	Credentials bool
}

// RateLimit is what applies to keys whose record does not say otherwise.
type RateLimit struct {
	Algorithm ratelimit.Algorithm
	Window    time.Duration // whole seconds
	Burst     int           // of a token bucket; 0 is the limit itself
	MaxDelay  time.Duration // of a leaky bucket
}

// Token is how tokens are signed and where their records are.
type Token struct {
	JWTSecret Secret // its bytes as written are the key; nothing is decoded
	Algorithm string // of JWTSecret: HS256, HS384 or HS512
	Keys      []TokenKey
	CacheSize int // verified tokens
	// WebSocketProtocol is the subprotocol before the one that is the token; "" is off.
	WebSocketProtocol string
	Prefix            string // of the records' Redis keys
}

// Timeouts bound the client's side of a connection.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration
	Write      time.Duration
	Idle       time.Duration

	MinBodyRate int64 // bytes a second; 0 is any
}

// Server is how the gateway meets its clients, logs requests and shuts down.
type Server struct {
	MaxConnections int // 0 is a third of the files that the process may open
	MaxInFlight    int // likewise
	TLS            TLS
	AccessLog      bool
	DrainDelay     time.Duration
	DrainTimeout   time.Duration
}

// TLS names files in PEM. Cert and Key are both set, or none of the three.
type TLS struct {
	Cert, Key string
	ClientCA  string // "" asks clients for no certificate
}

// Upstream bounds the backend's side of a request.
type Upstream struct {
	H2C             bool
	ConnectTimeout  time.Duration
	ResponseTimeout time.Duration
	IdleTimeout     time.Duration
	IdleConnection  time.Duration
	TLS             ClientTLS // of an https target
}

// ClientTLS names files in PEM for connections to a server over TLS. Cert and Key
// are both set, or neither.
type ClientTLS struct {
	CA         string // "" trusts what the system trusts
	Cert, Key  string // "" shows no certificate
	ServerName string // "" is the host connected to
}

// Redis says which Redis to use: Addr alone, or Addrs in its place.
type Redis struct {
	Addr       string
	Addrs      []string // several: a Cluster, or its Sentinels beside MasterName
	MasterName string
	Cluster    string // auto, on or off
	Username   string
	Password   Secret
	DB         int
	TLS        bool
	TLSFiles   ClientTLS // only with TLS

	SentinelUsername string
	SentinelPassword Secret

	Timeout   time.Duration
	CacheSize int    // keys
	OnFailure string // deny or local
	Grace     time.Duration
	Instances int // at least 1
}

// Log is how the program logs.
type Log struct {
	Level   string // Debug, Info, Warn, Error or Fatal, spelled so
	Format  string // json or console
	Colored bool
}

// Monitoring is where metrics are served.
type Monitoring struct {
	IP     netip.Addr
	Scheme string // http
	Port   int    // 0 picks a free one
}

// Origin is the layer that a value came from.
type Origin string

// The layers, lowest first.
const (
	OriginDefault Origin = "default"
	OriginFile    Origin = "file"
	OriginEnv     Origin = "env"
	OriginFlag    Origin = "flag"
)

// Value is one option with the value in effect.
type Value struct {
	Key     string `json:"key"`
	Env     string `json:"env"`
	Text    string `json:"value"` // as it was written; a secret's is "[redacted]", or "" when not set
	Default string `json:"default"`
	Kind    string `json:"kind"`
	Help    string `json:"help"`
	Origin  Origin `json:"origin"`
	File    string `json:"file,omitempty"` // that the variable KEY_FILE named, where the value was read
}

// Values returns every option with the value in effect and the layer it came
// from, in the order of declaration. It never holds a secret.
func (c *Config) Values() []Value { return slices.Clone(c.values) }

// Origin returns the layer that set the option, "" for a key that is not one.
func (c *Config) Origin(key string) Origin { return c.value(key).Origin }

// SetBy names the file that a variable such as TYK_PROX_REDIS__PASSWORD_FILE named
// for the option's value, and otherwise the layer that set it.
func (c *Config) SetBy(key string) string { return c.value(key).SetBy() }

// SetBy is [Config.SetBy] of this option.
func (v Value) SetBy() string { return cmp.Or(v.File, string(v.Origin)) }

func (c *Config) value(key string) Value {
	i := slices.IndexFunc(c.values, func(v Value) bool { return v.Key == key })
	if i < 0 {
		return Value{}
	}
	return c.values[i]
}
