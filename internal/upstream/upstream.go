// Package upstream forwards an admitted request to the backend and streams the
// response back.
//
// It decides nothing about the request: path and query reach the backend byte for byte
// as they were matched, with the identity headers that the caller gives. It writes no
// refusals: if there is no response to stream, it returns an error and has written
// nothing.
//
// Plain requests to an http backend use this package's own client, in the goroutine
// that serves them. All others (upgrades, HTTP/2, TLS, Expect: 100-continue) use
// httputil.ReverseProxy. Both follow the same rules and pass the same tests.
package upstream

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	idlePerBackend = 512
	maxHeaderBytes = 64 << 10 // of the backend's response
	pieceSize      = 32 << 10 // the buffer for copying bodies
)

// Options says where requests go and how they are changed on the way.
type Options struct {
	Target             *url.URL // only scheme and host are used
	H2C                bool     // speak HTTP/2 to an http target, as gRPC requires
	PreserveHost       bool     // send the client's Host instead of the target's
	StripAuthorization bool     // remove the Authorization header before forwarding
	ConnectTimeout     time.Duration
	// ResponseTimeout is how long the backend may take to accept the next piece of a
	// request and, once it has the whole request, to send the response header.
	ResponseTimeout time.Duration
	// IdleTimeout is how long the backend may pause within its response; it must be set.
	// It does not apply to WebSockets and to responses over HTTP/2.
	IdleTimeout time.Duration
	// IdleConnection is how long a connection may be idle and still be reused; 0 turns
	// reuse off. A shorter Keep-Alive: timeout from the backend, less a second, wins.
	IdleConnection time.Duration
	BodyTimeout    time.Duration // how long the client may pause within a request body
	MaxBody        int64         // the most bytes of a request body; 0 is no limit
	// MinBodyRate is how many bytes of a body a client must send per second, on average,
	// checked after ten seconds of waiting for it; 0 is no minimum.
	MinBodyRate int64
	TLS         *tls.Config // for an https target; nil is the default of crypto/tls
	Logger      *slog.Logger
}

// Outgoing is what the forwarded request carries besides the client's header.
type Outgoing struct {
	Path, Query                                 string // raw; Query with its question mark
	RequestID                                   string
	ForwardedFor, ForwardedHost, ForwardedProto string
	// Subprotocol is the WebSocket subprotocol to select if the backend selects none;
	// "" leaves that to the backend.
	Subprotocol string
	// Received, if set, counts the bytes read of the request body.
	Received *atomic.Int64
}

// Result is the outcome of a request.
type Result struct {
	Status  int           // of the backend's response; 0 if there was none
	Elapsed time.Duration // from forwarding to the end of the response body
}

// Upstream is one backend. It is safe for concurrent use.
type Upstream struct {
	opts     Options
	lean     bool // plain requests may use this package's own client
	pool     pool
	proxy    httputil.ReverseProxy // the parts that all requests share; copied for each
	draining chan struct{}         // closed by Drain
	drain    sync.Once
}

// New makes an upstream. It does not connect.
func New(o Options) *Upstream {
	dialer := &net.Dialer{Timeout: o.ConnectTimeout}
	return &Upstream{
		opts:     o,
		lean:     o.Target.Scheme == "http" && !o.H2C,
		pool:     pool{dial: dialer.DialContext, addr: hostPort(o.Target), keep: o.IdleConnection},
		proxy:    newProxy(o, dialer),
		draining: make(chan struct{}),
	}
}

// hostPort is where plain connections go.
func hostPort(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(target.Hostname(), port)
}

// Forward sends r to the backend and streams the response to w. Header fields that are
// already set on w win over the backend's. An error wraps one of this package's
// sentinels and means that no status was written to w. The exception is [ErrCut]: the
// response has begun, and the caller must break the connection.
func (u *Upstream) Forward(w http.ResponseWriter, r *http.Request, out Outgoing) (res Result, err error) {
	start := time.Now()
	if u.lean && plain(r) {
		res.Status, err = u.exchange(w, r, &out)
	} else {
		apart := out // the closures take this copy; out itself stays on the stack
		res.Status, err = u.proxied(w, r, &apart)
	}
	res.Elapsed = time.Since(start)
	return res, err
}

// plain reports whether a request needs only a response.
func plain(r *http.Request) bool { return r.Header["Upgrade"] == nil && r.Header["Expect"] == nil }

// Drain closes WebSockets with status 1001 (going away), and idle connections. Running
// requests continue.
func (u *Upstream) Drain() {
	u.drain.Do(func() { close(u.draining) })
	u.pool.close()
	if t, ok := u.proxy.Transport.(*transport); ok {
		t.current.Load().CloseIdleConnections()
	}
}
