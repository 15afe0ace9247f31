package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

// newProxy makes what takes the requests that are not plain.
func newProxy(o Options, dialer *net.Dialer) httputil.ReverseProxy {
	transport := &http.Transport{
		Proxy: nil, // the environment must not redirect traffic
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &patient{nc, o.ResponseTimeout}, nil
		},
		TLSClientConfig:        o.TLS,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ResponseHeaderTimeout:  o.ResponseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           idlePerBackend,
		MaxIdleConnsPerHost:    idlePerBackend,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // compression is between client and backend
		ForceAttemptHTTP2:      true,
		// A backend that died without a word is found out, also beneath a silent stream.
		HTTP2: &http.HTTP2Config{SendPingTimeout: o.ResponseTimeout, PingTimeout: o.ResponseTimeout},
	}
	if o.H2C {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	return httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: buffers{},
		ErrorLog:   slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
}

// patient is a connection whose peer must take what is sent within a time-out.
type patient struct {
	net.Conn
	timeout time.Duration
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// proxied sends a request through [httputil.ReverseProxy].
func (u *Upstream) proxied(w http.ResponseWriter, r *http.Request, out *Outgoing) (status int, err error) {
	ctx, leave := context.WithCancelCause(r.Context())
	defer leave(nil)
	wait := &stall{timeout: u.opts.ResponseTimeout, leave: leave}
	defer wait.end()
	var b *body
	if r.ContentLength != 0 {
		b = newBody(w, r, &u.opts)
		b.sending = wait
	}
	own := maps.Clone(w.Header())

	// A copy for each request lets its outcome be a local variable, with no
	// detour through the request's context.
	proxy := u.proxy
	proxy.Rewrite = func(pr *httputil.ProxyRequest) { u.rewrite(pr, out) }
	proxy.ModifyResponse = func(answer *http.Response) error {
		status = answer.StatusCode
		u.modify(w.Header(), answer, own)
		if b.remains() {
			closeAfter(w.Header(), r)
		}
		switch tunnel, ok := answer.Body.(io.ReadWriteCloser); {
		case ok && status == http.StatusSwitchingProtocols:
			answer.Body = newTunnel(tunnel, u.draining)
		case answer.ProtoMajor == 1: // an HTTP/2 backend is kept an eye on by pings
			answer.Body = &timely{answer.Body, &stall{timeout: u.opts.ResponseTimeout, leave: leave}}
		case b != nil:
			answer.Body = &conversation{answer.Body, b}
			if r.ProtoMajor == 2 {
				b.converse()
			}
		}
		wait.end()
		return nil
	}
	proxy.ErrorHandler = func(_ http.ResponseWriter, _ *http.Request, e error) {
		maps.Copy(w.Header(), own)
		if errors.Is(context.Cause(ctx), errStalled) {
			e = errStalled
		}
		err = classify(r.Context(), e, b.verdict(r.Context()))
	}
	defer func() {
		b.stop() // for the verdict waits until nothing is being read
		if p := recover(); p != nil {
			if aborted, ok := p.(error); !ok || !errors.Is(aborted, http.ErrAbortHandler) {
				panic(p)
			}
			err = cut(r.Context(), errBroken, b.verdict(r.Context()))
		}
	}()
	sent := r.WithContext(ctx)
	if b != nil {
		sent.Body = b // net/http's server looks at the kind of the request's own
	}
	proxy.ServeHTTP(&hinting{w, own}, sent)
	return status, err
}

var errBroken = errors.New("it broke off")

// conversation is the body of an HTTP/2 answer whose request may still be under
// way, as in gRPC. [http.Transport] closes it only when nobody reads the request's.
type conversation struct {
	io.ReadCloser
	request *body
}

func (c *conversation) Close() error {
	c.request.stop()
	return c.ReadCloser.Close()
}

// rewrite makes the request that the backend gets.
func (u *Upstream) rewrite(pr *httputil.ProxyRequest, out *Outgoing) {
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

// modify leaves the gateway's own fields, which an interim answer has cleared
// from h, as they are, whatever the answer says of them.
func (u *Upstream) modify(h http.Header, answer *http.Response, own http.Header) {
	maps.Copy(h, own)
	if answer.StatusCode == http.StatusSwitchingProtocols {
		delete(h, "Connection") // its close is not of the tunnel
	}
	for name := range h {
		delete(answer.Header, http.CanonicalHeaderKey(name))
	}
	if answer.Header["Content-Type"] == nil {
		h["Content-Type"] = nil // or it would be guessed from the body
	}
	if answer.StatusCode == http.StatusNoContent {
		delete(answer.Header, "Content-Length")
	}
}

// hinting keeps an interim answer from saying what the gateway says.
type hinting struct {
	http.ResponseWriter
	own http.Header
}

func (w *hinting) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		h := w.Header()
		for name := range w.own {
			delete(h, http.CanonicalHeaderKey(name))
		}
		maps.Copy(h, w.own)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *hinting) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stall ends a request during which the backend is waited for too long.
type stall struct {
	timeout time.Duration
	leave   context.CancelCauseFunc
	mu      sync.Mutex
	timer   *time.Timer
	over    bool
}

var errStalled error = &net.OpError{Op: "wait", Err: os.ErrDeadlineExceeded}

func (s *stall) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
	case s.timer == nil:
		s.timer = time.AfterFunc(s.timeout, func() { s.leave(errStalled) })
	default:
		s.timer.Reset(s.timeout)
	}
}

func (s *stall) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
}

// end makes later starts do nothing.
func (s *stall) end() {
	s.pause()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// timely is an answer's body each of whose pieces must come within a time-out.
type timely struct {
	io.ReadCloser
	wait *stall
}

func (t *timely) Read(p []byte) (int, error) {
	t.wait.start()
	defer t.wait.pause()
	return t.ReadCloser.Read(p)
}

// buffers lends the pieces in which bodies are copied.
type buffers struct{}

func (buffers) Get() []byte      { return borrowPiece()[:] }
func (buffers) Put(piece []byte) { pieces.Put((*[pieceSize]byte)(piece)) }
