// Package upstream sends an admitted request on to the backend and streams its
// answer back.
//
// It decides nothing about the request: path and query arrive byte for byte as
// they were matched, and identity headers are those that it was given. It
// writes no refusal: when there is no answer to pass on it returns an error,
// with nothing written yet.
package upstream

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

const (
	idlePerBackend = 512
	idleTimeout    = 30 * time.Second // below the idle time-out of common servers, so that we close first
	maxHeaderBytes = 64 << 10         // of the backend's answer
	copyBuffer     = 32 << 10
)

// Options says where requests go and what is done to them on the way.
type Options struct {
	Target             *url.URL // scheme and host; nothing else of it is used
	PreserveHost       bool     // send the client's Host instead of the target's
	StripAuthorization bool     // keep the bearer token from the backend
	ConnectTimeout     time.Duration
	ResponseTimeout    time.Duration // from the end of the request to the answer's header
	MaxBody            int64         // bytes of a request's body; 0 is no limit
	Logger             *slog.Logger
}

// Outgoing is what the request is sent with, beside the client's own headers.
type Outgoing struct {
	Path, Query                                 string // raw; Query with its question mark
	RequestID                                   string
	ForwardedFor, ForwardedHost, ForwardedProto string
	// Answer holds headers that stand on the answer, whatever the backend says of them.
	Answer http.Header
}

// Result is what came of a request.
type Result struct {
	Status  int           // of the backend's answer; 0 when there was none
	Elapsed time.Duration // from sending to the end of the answer's body
}

// Upstream is one backend. It is safe for concurrent use.
type Upstream struct {
	opts  Options
	proxy httputil.ReverseProxy // the parts that all requests share; copied for each
}

// New makes an upstream. It does not connect.
func New(o Options) *Upstream {
	transport := &http.Transport{
		Proxy:                  nil, // the environment must not redirect traffic
		DialContext:            (&net.Dialer{Timeout: o.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ResponseHeaderTimeout:  o.ResponseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           idlePerBackend,
		MaxIdleConnsPerHost:    idlePerBackend,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // compression is between client and backend
		ForceAttemptHTTP2:      true,
	}
	return &Upstream{opts: o, proxy: httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: &buffers{},
		ErrorLog:   slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}}
}

// Forward sends r on and streams the answer to w. An error means that w is
// untouched and wraps one of this package's sentinels, or [ErrCut], after which
// the only honest end is to break the connection.
func (u *Upstream) Forward(w http.ResponseWriter, r *http.Request, out Outgoing) (res Result, err error) {
	start := time.Now()
	body := newBody(w, r.Body, u.opts.MaxBody)
	if r.ContentLength != 0 {
		r.Body = body
	}

	// A copy for each request lets its outcome be a local variable, with no
	// detour through the request's context.
	proxy := u.proxy
	proxy.Rewrite = func(pr *httputil.ProxyRequest) { u.rewrite(pr, out) }
	proxy.ModifyResponse = func(answer *http.Response) error {
		res.Status = answer.StatusCode
		maps.Copy(answer.Header, out.Answer)
		return nil
	}
	proxy.ErrorHandler = func(_ http.ResponseWriter, _ *http.Request, e error) {
		err = classify(r.Context(), e, body.fault())
	}
	defer func() {
		res.Elapsed = time.Since(start)
		if p := recover(); p != nil {
			if aborted, ok := p.(error); !ok || !errors.Is(aborted, http.ErrAbortHandler) {
				panic(p)
			}
			err = cut(r.Context())
		}
	}()
	proxy.ServeHTTP(w, r)
	return res, err
}

func (u *Upstream) rewrite(pr *httputil.ProxyRequest, out Outgoing) {
	o := pr.Out
	o.URL = &url.URL{
		Scheme: u.opts.Target.Scheme,
		Host:   u.opts.Target.Host,
		// Opaque is written as it stands; Path would be decoded and encoded again.
		Opaque: out.Path,
	}
	if out.Query != "" {
		o.URL.RawQuery, o.URL.ForceQuery = out.Query[1:], true
	}
	o.Host = ""
	if u.opts.PreserveHost {
		o.Host = pr.In.Host
	}
	if u.opts.StripAuthorization {
		delete(o.Header, "Authorization")
	} else if bearer := pr.In.Header["Authorization"]; bearer != nil {
		o.Header["Authorization"] = bearer // a client's Connection header may have named it
	}
	o.Header["X-Request-Id"] = []string{out.RequestID}
	if out.ForwardedFor != "" {
		o.Header["X-Forwarded-For"] = []string{out.ForwardedFor}
	}
	o.Header["X-Forwarded-Host"] = []string{out.ForwardedHost}
	o.Header["X-Forwarded-Proto"] = []string{out.ForwardedProto}
}

// buffers are the pieces in which bodies are copied.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if piece, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return piece[:]
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(piece []byte) { b.pool.Put((*[copyBuffer]byte)(piece)) }
