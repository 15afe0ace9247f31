// Package upstream sends an admitted request on to the backend and streams its
// answer back.
//
// It decides nothing about the request: path and query arrive byte for byte as
// they were matched, and identity headers are those that it was given. It
// writes no refusal: when there is no answer to pass on it returns an error,
// with nothing written yet.
//
// Plain requests to an http backend go through a client of this package's own,
// in the goroutine that serves them. What is not plain (upgrades, HTTP/2, TLS,
// Expect: 100-continue) takes httputil.ReverseProxy. Both obey the same rules,
// and one suite of tests runs over both.
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
	maxHeaderBytes = 64 << 10 // of the backend's answer
	pieceSize      = 32 << 10 // in which bodies are copied
)

// Options says where requests go and what is done to them on the way.
type Options struct {
	Target             *url.URL // scheme and host; nothing else of it is used
	H2C                bool     // speak HTTP/2 to an http target, as gRPC needs it
	PreserveHost       bool     // send the client's Host instead of the target's
	StripAuthorization bool     // keep the bearer token from the backend
	ConnectTimeout     time.Duration
	// ResponseTimeout is how long the backend may take to take the next piece of a
	// request and, once it has the whole request, to send its answer's header.
	ResponseTimeout time.Duration
	// IdleTimeout is how long the backend may pause within its answer; it must be set.
	// A WebSocket and the answer of an HTTP/2 backend may pause for longer.
	IdleTimeout time.Duration
	// IdleConnection is how long a connection may be idle and then be used again; 0
	// is not at all. If the backend says less in Keep-Alive: timeout, that counts,
	// less a second.
	IdleConnection time.Duration
	BodyTimeout    time.Duration // how long the client may pause within a request's body
	MaxBody        int64         // bytes of a request's body; 0 is no limit
	// MinBodyRate is how many bytes a second a client must send of a body, on average
	// from the tenth second of waiting for it on; 0 is any.
	MinBodyRate int64
	TLS         *tls.Config // for an https target; nil is crypto/tls's default
	Logger      *slog.Logger
}

// Outgoing is what the request is sent with, beside the client's own headers.
type Outgoing struct {
	Path, Query                                 string // raw; Query with its question mark
	RequestID                                   string
	ForwardedFor, ForwardedHost, ForwardedProto string
	// Subprotocol is what a WebSocket's client is told that was selected when the
	// backend selects none; "" leaves that to the backend.
	Subprotocol string
	// Received, if set, counts the bytes read of the request's body.
	Received *atomic.Int64
}

// Result is what came of a request.
type Result struct {
	Status  int           // of the backend's answer; 0 when there was none
	Elapsed time.Duration // from sending to the end of the answer's body
}

// Upstream is one backend. It is safe for concurrent use.
type Upstream struct {
	opts     Options
	lean     bool // plain requests may take this package's own client
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

// Forward sends r on and streams the answer to w. Header fields that stand on w
// stay there, whatever the backend says of them. An error means that no status
// was written to w, and wraps one of this package's sentinels; or it is
// [ErrCut], after which the only honest end is to break the connection.
func (u *Upstream) Forward(w http.ResponseWriter, r *http.Request, out Outgoing) (res Result, err error) {
	start := time.Now()
	if u.lean && plain(r) {
		res.Status, err = u.exchange(w, r, &out)
	} else {
		apart := out // for its closures; out itself stays on the stack
		res.Status, err = u.proxied(w, r, &apart)
	}
	res.Elapsed = time.Since(start)
	return res, err
}

// plain reports whether a request asks for nothing but an answer.
func plain(r *http.Request) bool { return r.Header["Upgrade"] == nil && r.Header["Expect"] == nil }

// Drain ends what would not end by itself: WebSockets are closed with 1001,
// going away, and idle connections are dropped. Requests under way go on.
func (u *Upstream) Drain() {
	u.drain.Do(func() { close(u.draining) })
	u.pool.close()
	if t, ok := u.proxy.Transport.(*transport); ok {
		t.current.Load().CloseIdleConnections()
	}
}
