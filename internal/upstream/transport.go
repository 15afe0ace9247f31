package upstream

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// transport is an [http.Transport] that keeps idle connections no longer than the backend
// allows. It cannot set the time of a single connection, so the shortest time applies to
// all: the transport is replaced by one with that time.
type transport struct {
	current atomic.Pointer[http.Transport]
}

func newTransport(o Options, dialer *net.Dialer) *transport {
	t := &http.Transport{
		Proxy:                  nil, // the environment must not redirect traffic
		DialContext:            dialer.DialContext,
		TLSClientConfig:        o.TLS,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ResponseHeaderTimeout:  o.ResponseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           idlePerBackend,
		MaxIdleConnsPerHost:    idlePerBackend,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // compression is between client and backend
		ForceAttemptHTTP2:      true,
		// Pings detect a backend that died silently, even under a silent stream.
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: o.ResponseTimeout, PingTimeout: o.ResponseTimeout, WriteByteTimeout: o.ResponseTimeout,
		},
	}
	keep(t, o.IdleConnection)
	if o.H2C {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	exchangeable := new(transport)
	exchangeable.current.Store(t)
	return exchangeable
}

// keep sets how long connections may be idle. To net/http 0 would mean forever.
func keep(t *http.Transport, d time.Duration) { t.IdleConnTimeout, t.DisableKeepAlives = d, d == 0 }

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.current.Load().RoundTrip(r)
	if err == nil && answer.ProtoMajor == 1 {
		for _, field := range answer.Header["Keep-Alive"] {
			if d := keepAlive(field); d >= 0 {
				t.shorten(d)
			}
		}
	}
	return answer, err
}

func (t *transport) shorten(d time.Duration) {
	for {
		before := t.current.Load()
		if before.DisableKeepAlives || before.IdleConnTimeout <= d {
			return
		}
		after := before.Clone()
		keep(after, d)
		if t.current.CompareAndSwap(before, after) {
			before.CloseIdleConnections() // those in use close when they become idle
			return
		}
	}
}
