// Package inbound reads a client's request strictly. It establishes what the other
// stages rely on: the method, the path that is matched and forwarded byte for byte,
// the credential, the client's address, and header fields that a client cannot forge.
//
// It refuses rather than repairs. A request that two parties could read differently
// is an error, and nothing is normalised. It only removes the header fields that a
// client must not set.
//
// The package knows neither responses nor status codes: it returns errors that wrap
// its sentinels. It does no I/O and does not read bodies. It does not verify tokens
// or check routes.
package inbound

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
)

// Every error of [Reader.Read] wraps one of these. Its text gives the precise
// reason in words fit for the client, and repeats no credential.
var (
	// ErrMalformed is a target, host or header field that violates HTTP, or that two
	// readers could interpret differently.
	ErrMalformed = errors.New("malformed request")
	// ErrHeader is an [ErrMalformed] in the header. Others may disagree about where
	// such a request ends.
	ErrHeader = fmt.Errorf("%w", ErrMalformed)
	// ErrLength is a Content-Length over HTTP/2 that does not match the body (RFC
	// 9113, 8.1.1).
	ErrLength = errors.New("malformed message")
	// ErrMethod is a method that no gateway should forward: CONNECT or TRACE.
	ErrMethod = errors.New("method not allowed")
	// ErrTargetTooLong is a target (path and query) over 8 KiB.
	ErrTargetTooLong = errors.New("request target too long")
	// ErrHeadersTooLarge is more than 100 header fields, or more than 32 KiB of
	// names and values.
	ErrHeadersTooLarge = errors.New("header fields too large")
	// ErrBodyTooLarge is a declared Content-Length over the limit.
	ErrBodyTooLarge = errors.New("body too large")
	// ErrUntrusted is a request for /auth from a peer that is not trusted to describe
	// the original request.
	ErrUntrusted = errors.New("peer not trusted")
	// ErrNoToken is a request without a bearer credential: no Authorization
	// field, an empty one, or one of another scheme.
	ErrNoToken = errors.New("no bearer token")
	// ErrTokenTooLarge is a credential of the Bearer scheme over 16 KiB.
	ErrTokenTooLarge = errors.New("bearer token too large")
	// ErrBadToken is a credential of the Bearer scheme that is not one token.
	ErrBadToken = errors.New("malformed bearer token")
)

const (
	maxTarget     = 8 << 10
	maxMethod     = 32
	maxFields     = 100
	maxFieldBytes = 32 << 10
	maxToken      = 16 << 10
	maxLoggable   = 256
	maxRequestID  = 128
)

// Request is a request as the stages see it. It does not depend on net/http, so that
// other front ends can make one.
type Request struct {
	// ID identifies the request in the response, the log and the backend. It is the
	// client's X-Request-Id if that is one field of 1 to 128 letters, digits, dots,
	// underscores and hyphens, else random.
	ID string
	// Method is the method as received.
	Method string
	// Path is the raw path as received, without the query.
	Path string
	// Query is the raw query with its question mark; "" when there was none.
	Query string
	// Bearer is the unverified credential; "" if none was read.
	Bearer string
	// Subprotocol is the WebSocket subprotocol that announced the credential. The
	// gateway selects it if the backend selects none; "" if the credential came in
	// another way.
	Subprotocol string
	// Client is the client's address: the peer's or, behind trusted proxies, the one
	// they report. It is the zero Addr for a peer without an IP address. IPv4
	// addresses are never in IPv6-mapped form.
	Client netip.Addr
	// Forwarded tells the backend where the request came from.
	Forwarded Forwarded
	// Asked means that a proxy only asks about the request and serves it itself.
	Asked bool
}

// Forwarded holds the values of the X-Forwarded fields for the backend.
type Forwarded struct {
	For   string // the addresses that a trusted peer reported, then the peer's; "" for a peer without an IP address
	Host  string
	Proto string // "http" or "https"
}

// Options are the settings of a [Reader].
type Options struct {
	// TrustedProxies are the peers that may set X-Forwarded fields.
	TrustedProxies []netip.Prefix
	// MaxBody is the largest Content-Length that a request may declare, in bytes; 0 is
	// no limit. The reader of a body of undeclared length must measure it.
	MaxBody int64
	// ForwardAuth treats a request for /auth as a trusted proxy's question about
	// another request, which X-Original-Method and X-Original-URI or
	// X-Forwarded-Method and X-Forwarded-Uri describe.
	ForwardAuth bool
	// WebSocketProtocol is the WebSocket subprotocol after which a client may send its
	// credential as the next subprotocol; "" turns this off.
	WebSocketProtocol string
	// OnUnreadable is called with an element of X-Forwarded-For that is not an address
	// and the trusted peer that sent it. It may be nil and must be safe for concurrent
	// use. The element is cut to what is safe to log.
	OnUnreadable func(peer, element string)
}

// Reader reads requests. It is safe for concurrent use.
type Reader struct {
	trustedProxies []netip.Prefix
	maxBody        int64
	forwardAuth    bool
	subprotocol    string
	onUnreadable   func(peer, element string)
}

// NewReader returns a Reader with the given options. The options are copied.
func NewReader(options Options) *Reader {
	proxies := slices.Clone(options.TrustedProxies)
	for i, prefix := range proxies {
		proxies[i] = unmapPrefix(prefix)
	}
	rd := &Reader{
		trustedProxies: proxies, maxBody: options.MaxBody,
		forwardAuth: options.ForwardAuth, subprotocol: options.WebSocketProtocol,
		onUnreadable: options.OnUnreadable,
	}
	if rd.onUnreadable == nil {
		rd.onUnreadable = func(string, string) {}
	}
	return rd
}

// Read reads one request as net/http's server delivers it, with canonical header
// names. It changes the request in one way: it removes from r.Header the fields that
// the gateway writes itself or never honours, so that the rest may be forwarded once
// hop-by-hop fields are gone. Those are all X-Forwarded fields, Forwarded, X-Real-IP,
// X-Request-Id, Host, the overrides of method, URL and host, upgrades other than to
// WebSocket, TE other than trailers, and a credential among a WebSocket's subprotocols
// with the word before it. The trailers that the client declares stay in r.Trailer; all
// may be forwarded. Once the body is read, undeclared trailers appear there too, and a
// sender must not forward those.
//
// The error wraps one sentinel of this package. Faults of the target are reported
// first, then those of the header and of the credential, and those of trailers last.
// Even with an error, ID and Client are set, and Method and Path as far as they are safe
// to log; the header must then not be forwarded.
//
// On an ordinary request Read only allocates the ID.
func (rd *Reader) Read(r *http.Request) (Request, error) {
	from := rd.originOf(r)
	req := Request{ID: requestID(r.Header), Client: from.client}
	method, target := r.Method, r.RequestURI
	var err error
	if rd.forwardAuth && isAuthPath(target) {
		req.Asked = true
		if method, target, err = from.original(r.Header); err != nil {
			req.Method, req.Path = loggable(r.Method), authPath
			return req, err
		}
	}
	req.Method, req.Path = loggable(method), loggablePath(target)
	if err := checkMethod(method); err != nil {
		return req, err
	}
	path, query, err := splitTarget(target)
	if err != nil {
		return req, err
	}
	req.Method, req.Path, req.Query = method, path, query
	if err := checkHost(r); err != nil {
		return req, err
	}
	req.Forwarded = from.forwarded(r)
	if err := readFields(r); err != nil {
		return req, err
	}
	if err := checkLength(r); err != nil {
		return req, err
	}
	if rd.maxBody > 0 && r.ContentLength > rd.maxBody {
		return req, fmt.Errorf("%w: the limit is %d bytes", ErrBodyTooLarge, rd.maxBody)
	}
	req.Bearer, err = readBearer(r.Header["Authorization"])
	// At /auth the proxy has taken the Upgrade field away, which is of its own hop.
	if rd.subprotocol != "" && (req.Asked || r.Header["Upgrade"] != nil) {
		err = rd.bearerFromSubprotocol(r.Header, &req, err)
	}
	if err == nil {
		err = checkTrailers(r)
	}
	return req, err
}

// Refused describes a request that a server could not read, with its method and
// target if they are known. The ID is random and Client is the peer, because the header
// fields that could say otherwise cannot be trusted.
func (rd *Reader) Refused(r *http.Request) Request {
	addr, _ := peerOf(r.RemoteAddr)
	return Request{ID: rand.Text(), Method: loggable(r.Method), Path: loggablePath(r.RequestURI), Client: addr}
}

// checkMethod ignores case when it refuses, because a backend might.
func checkMethod(method string) error {
	switch {
	case !isToken(method):
		return fmt.Errorf("%w: the method is empty or contains an invalid character", ErrMalformed)
	case len(method) > maxMethod:
		return fmt.Errorf("%w: the method is longer than %d characters", ErrMalformed, maxMethod)
	}
	if equalFold(method, "connect") || equalFold(method, "trace") {
		return fmt.Errorf("%w: the gateway does not forward CONNECT and TRACE", ErrMethod)
	}
	return nil
}

func requestID(header http.Header) string {
	if ids := header["X-Request-Id"]; len(ids) == 1 {
		id := ids[0]
		if 0 < len(id) && len(id) <= maxRequestID && consistsOf(id, &requestIDBytes) {
			return id
		}
	}
	return rand.Text()
}
