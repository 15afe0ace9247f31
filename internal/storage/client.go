package storage

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/tykctl/tykctl/internal/tlsfiles"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// maxDial bounds opening a connection; a request's own budget cuts it shorter.
const maxDial = 500 * time.Millisecond

// alertWait is how long a closed connection is asked for the reason. It is there already.
const alertWait = time.Millisecond

// keepAlive is how often an idle connection is tried by the system.
const keepAlive = 5 * time.Minute

// Options says where Redis is and how it is used.
type Options struct {
	Addrs      []string // host:port; several are a Cluster, or the Sentinels of MasterName
	MasterName string
	Username   string
	Password   string
	DB         int
	// At the Sentinels; empty for none.
	SentinelUsername, SentinelPassword string
	// TLS, if set, makes the configuration for a connection to a host, a Sentinel's too.
	TLS func(host string) *tls.Config

	Connections int // to each server at most; 0 is ten for each processor
	// Cluster says whether Redis is a Cluster: [ClusterOn], [ClusterOff] or, also
	// when empty, [ClusterAuto]: several Addrs without a MasterName are one, and a
	// single address is asked.
	Cluster string
	// Dial, if set, opens connections in place of the network's own, without TLS.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Timeout      time.Duration   // the most that Redis may cost one request
	Prefix       string          // in front of an api_key in a record's name
	DefaultLimit ratelimit.Limit // what a record leaves open; its Permits do not count
	CacheSize    int             // keys remembered, at most, that have nothing left

	Now func() time.Time // the clock; nil means time.Now

	Logger *slog.Logger
	// Observe, if set, is told of every exchange with Redis: what it was for,
	// how long it took, and the kind of failure, "" for none.
	Observe func(op string, took time.Duration, kind string)
	// Events, if set, is told what becomes of Redis.
	Events Events
}

// Events are what an operator wants counted. Its methods must be quick, and are
// called concurrently.
type Events interface {
	// Shared tells how many requests shared an exchange with the limiter.
	Shared(requests int)
	// Tripped tells whether there is a server of Redis that requests no longer wait for.
	Tripped(open bool)
}

type noEvents struct{}

func (noEvents) Shared(int)   {}
func (noEvents) Tripped(bool) {}

// universal are the options that clients of all kinds share. The Dialer is set.
func universal(o Options) *redis.UniversalOptions {
	u := &redis.UniversalOptions{
		Addrs:      o.Addrs,
		MasterName: o.MasterName,
		Username:   o.Username,
		Password:   o.Password,
		DB:         o.DB,

		SentinelUsername: o.SentinelUsername,
		SentinelPassword: o.SentinelPassword,

		// A command that timed out may have run. Sent again it would charge the
		// caller twice, so the client never tries again by itself.
		MaxRetries:            -1,
		MinRetryBackoff:       -1, // a Cluster's redirection is followed at once
		MaxRetryBackoff:       -1,
		DialerRetries:         1,
		DialTimeout:           maxDial,
		ReadTimeout:           o.Timeout,
		WriteTimeout:          o.Timeout,
		PoolTimeout:           o.Timeout,
		PoolSize:              o.Connections,
		ContextTimeoutEnabled: true,

		// Neither is of use here, and each costs every new connection a round trip.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	u.Dialer = (&net.Dialer{Timeout: maxDial, KeepAlive: keepAlive}).DialContext
	if o.Dial != nil {
		u.Dialer = o.Dial
	}
	if o.TLS != nil {
		u.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12} // the client looks only at whether there is one
		u.Dialer = dialTLS(o.TLS)
	}
	return u
}

// dialTLS ends with the caller's context; the client's own TLS dialer would
// let a server that accepts and then says nothing hold the caller up.
func dialTLS(configOf func(host string) *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: maxDial}, Config: configOf(host)}
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return secureConn{conn}, nil
	}
}

// A secureConn is a connection over TLS. A server that does not accept the client's
// certificate says so only after the handshake (RFC 8446, 4.4.2.4) and closes the
// connection, so that the client may notice when it writes. The alert says why.
type secureConn struct{ net.Conn }

func (c secureConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.SetReadDeadline(time.Now().Add(alertWait))
		if _, alert := c.Read(make([]byte, 1)); tlsfiles.IsFault(alert) {
			err = alert
		}
	}
	return n, err
}
