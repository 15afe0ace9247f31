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
)

// newProxy makes the proxy for the requests that are not plain.
func newProxy(o Options, dialer *net.Dialer) httputil.ReverseProxy {
	return httputil.ReverseProxy{
		Transport:  newTransport(o, dialer),
		BufferPool: buffers{},
		ErrorLog:   slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
}

// proxied sends a request through [httputil.ReverseProxy].
func (u *Upstream) proxied(w http.ResponseWriter, r *http.Request, out *Outgoing) (status int, err error) {
	ctx, leave := context.WithCancelCause(r.Context())
	defer leave(nil)
	wait := &stall{limit: u.opts.ResponseTimeout, leave: leave}
	defer wait.end()
	var b *body
	if r.ContentLength != 0 {
		b = newBody(w, r, &u.opts, out.Received)
		b.turns = wait
	}
	own := maps.Clone(w.Header())

	// With a copy per request, the outcome is a local variable and needs no detour
	// through the request's context.
	proxy := u.proxy
	proxy.Rewrite = func(pr *httputil.ProxyRequest) {
		u.rewrite(pr, out)
		u.passTrailers(pr.Out, b)
	}
	proxy.ModifyResponse = func(answer *http.Response) error {
		status = answer.StatusCode
		u.modify(w.Header(), answer, own)
		if b.remains() {
			closeAfter(w.Header(), r)
		}
		if status == http.StatusSwitchingProtocols {
			selectSubprotocol(answer.Header, out.Subprotocol)
		}
		answer.Body = u.paced(answer, r, b, wait)
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
		b.stop() // the verdict waits until nobody reads the body
		if p := recover(); p != nil {
			if aborted, ok := p.(error); !ok || !errors.Is(aborted, http.ErrAbortHandler) {
				panic(p)
			}
			cause := errBroken
			if errors.Is(context.Cause(ctx), errStalled) {
				cause = errStalled
			}
			err = cut(r.Context(), cause, b.verdict(r.Context()))
		}
	}()
	sent := r.WithContext(ctx)
	if b != nil {
		sent.Body = b // net/http's server checks the type of the request's own body
	}
	proxy.ServeHTTP(&hinting{w, own}, sent)
	return status, err
}

// paced wraps the response body with what limits its pauses.
func (u *Upstream) paced(answer *http.Response, r *http.Request, b *body, wait *stall) io.ReadCloser {
	if tunnel, ok := answer.Body.(io.ReadWriteCloser); ok && answer.StatusCode == http.StatusSwitchingProtocols {
		wait.end()
		return newTunnel(tunnel, u.draining)
	}
	if answer.ProtoMajor == 1 {
		wait.beginBody(u.opts.IdleTimeout)
		return &timely{answer.Body, wait}
	}
	wait.end() // pings monitor an HTTP/2 backend
	if b == nil {
		return answer.Body
	}
	if r.ProtoMajor == 2 {
		b.converse()
	}
	return &conversation{answer.Body, b}
}

// conversation is the body of an HTTP/2 response while the request may still be under
// way, as in gRPC. [http.Transport] closes it only when nobody reads the request body.
type conversation struct {
	io.ReadCloser
	request *body
}

func (c *conversation) Close() error {
	c.request.stop()
	return c.ReadCloser.Close()
}

// rewrite makes the request for the backend.
func (u *Upstream) rewrite(pr *httputil.ProxyRequest, out *Outgoing) {
	o := pr.Out
	o.URL = &url.URL{
		Scheme: u.opts.Target.Scheme,
		Host:   u.opts.Target.Host,
		// Opaque is sent unchanged; Path would be decoded and encoded again.
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

// passTrailers forwards the trailers that the client declared.
func (u *Upstream) passTrailers(out *http.Request, b *body) {
	out.Trailer = nil // it is a copy that would stay empty
	if b == nil {
		return
	}
	out.Trailer = b.trailer
	if len(b.trailer) > 0 && !u.opts.H2C {
		out.ContentLength = unknown // in HTTP/1 only chunks have trailers
	}
}

// modify restores the gateway's own fields in h, which an interim response has cleared,
// and removes them from the backend's response.
func (u *Upstream) modify(h http.Header, answer *http.Response, own http.Header) {
	maps.Copy(h, own)
	if answer.StatusCode == http.StatusSwitchingProtocols {
		delete(h, "Connection") // close does not apply to the tunnel
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

// selectSubprotocol selects a subprotocol if the backend selects none. RFC 6455 allows a
// server to select none, but browsers then fail the connection if they offered any
// (WebSockets standard, "establish a WebSocket connection").
func selectSubprotocol(answer http.Header, offered string) {
	const name = "Sec-Websocket-Protocol"
	if offered != "" && answer.Get(name) == "" {
		answer[name] = []string{offered}
	}
}

// hinting removes the gateway's own fields from interim responses.
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

// buffers lends the buffers for copying bodies.
type buffers struct{}

func (buffers) Get() []byte      { return borrowPiece()[:] }
func (buffers) Put(piece []byte) { pieces.Put((*[pieceSize]byte)(piece)) }
