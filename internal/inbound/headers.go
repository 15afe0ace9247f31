package inbound

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

// checkHost requires an unambiguous host. An HTTP/2 server leaves a Host field in the
// header beside the :authority that became r.Host.
func checkHost(r *http.Request) error {
	for _, host := range r.Header["Host"] {
		if host != r.Host {
			return fmt.Errorf("%w: the Host header differs from :authority", ErrHeader)
		}
	}
	if fault := hostFault(r.Host); fault != "" {
		return fmt.Errorf("%w: %s", ErrHeader, fault)
	}
	return nil
}

// hostFault accepts a name, an IPv4 address or an IPv6 address in brackets, with or
// without a port. It refuses user information, and characters that RFC 3986 allows in a
// registered name but DNS does not.
func hostFault(host string) string {
	if host == "" {
		return "the request has no host"
	}
	name, port, hasPort := host, "", false
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port, hasPort = host[:i], host[i+1:], true
	}
	switch {
	case name == "" || !consistsOf(name, &hostBytes) && !isIPv6Literal(name):
		return "the host is neither a name nor an address"
	case hasPort && (port == "" || len(port) > len("65535") || !consistsOf(port, &digitBytes)):
		return "the host's port is not a number"
	}
	return ""
}

func isIPv6Literal(s string) bool {
	s, opened := strings.CutPrefix(s, "[")
	s, closed := strings.CutSuffix(s, "]")
	if !opened || !closed {
		return false
	}
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Is6() && addr.Zone() == ""
}

// readFields checks and measures every field, and removes those that must not pass.
// It reports a header that is too large before a malformed one, so that the response
// does not depend on the order of a map.
func readFields(r *http.Request) error {
	count, size, fault := 1, len("Host")+len(r.Host), ""
	for name, values := range r.Header {
		count += len(values)
		for _, value := range values {
			size += len(name) + len(value)
			if fault == "" && !httpguts.ValidHeaderFieldValue(value) {
				fault = "a header value contains a control character"
			}
		}
		if fault == "" {
			fault = nameFault(name)
		}
		if isOurs(name) {
			delete(r.Header, name)
		}
	}
	switch {
	case count > maxFields:
		return fmt.Errorf("%w: the limit is %d fields", ErrHeadersTooLarge, maxFields)
	case size > maxFieldBytes:
		return fmt.Errorf("%w: the limit is %d bytes", ErrHeadersTooLarge, maxFieldBytes)
	case fault != "":
		return fmt.Errorf("%w: %s", ErrHeader, fault)
	}
	limitUpgrade(r)
	if te := r.Header["Te"]; len(te) != 1 || !equalFold(te[0], "trailers") {
		delete(r.Header, "Te") // only that goes to the backend; gRPC servers require it
	}
	return nil
}

// nameFault refuses underscores because CGI and its successors treat them like
// hyphens: X_Forwarded_For would pass for the field that the gateway writes.
func nameFault(name string) string {
	switch {
	case !isToken(name):
		return "a header name is empty or contains an invalid character"
	case strings.Contains(name, "_"):
		return "a header name contains an underscore"
	case httpsyntax.Disguised(name):
		return "a header name could be mistaken for Content-Length or Transfer-Encoding"
	}
	return ""
}

// checkLength checks the Content-Length of a request over HTTP/2. net/http's server
// uses the first of several, ignores one that is not a number, and does not check it
// without a body; it refuses a body that is too long itself.
func checkLength(r *http.Request) error {
	lengths := r.Header["Content-Length"]
	if r.ProtoMajor != 2 || lengths == nil {
		return nil
	}
	if len(lengths) > 1 {
		return fmt.Errorf("%w: there is more than one Content-Length header", ErrLength)
	}
	n, err := strconv.ParseInt(lengths[0], 10, 64)
	if err != nil || !consistsOf(lengths[0], &digitBytes) || n != r.ContentLength {
		return fmt.Errorf("%w: the Content-Length does not match the body", ErrLength)
	}
	return nil
}

// The fields that a client must not set, in Go's canonical form. SECURITY.md lists the
// overrides.
var (
	overrides = []string{ // of method, target or host: nobody must honour them
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Http-Path-Override",
		"X-Original-Method", "X-Original-Url", "X-Original-Uri", "X-Original-Host", "Original-Url",
		"X-Rewrite-Url", "X-Rewrite-Uri", "X-Override-Url",
	}
	ours = newNameSet(overrides,
		"Forwarded", "X-Real-Ip", "X-Request-Id", // the gateway writes these itself
		"X-Api-Key-Hash",                    // the gateway's response at /auth, which the proxy passes to the backend
		"Proxy",                             // CGI programs read it as HTTP_PROXY
		"Host", "Http2-Settings", "Trailer") // for this hop only
)

func newNameSet(overrides []string, others ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range slices.Concat(overrides, others) {
		set[name] = true
	}
	return set
}

// isOurs reports whether a client must not set a field. A name with another character
// in place of a hyphen counts, too: CGI and its successors turn X.Forwarded.For and
// X-Forwarded-For into the same variable.
func isOurs(name string) bool {
	if !consistsOf(name, &hyphenatedBytes) {
		b := []byte(name)
		for i, c := range b {
			if !alphanumericBytes[c] {
				b[i] = '-'
			}
		}
		name = textproto.CanonicalMIMEHeaderKey(string(b))
	}
	return ours[name] || strings.HasPrefix(name, "X-Forwarded")
}

// limitUpgrade keeps an upgrade to WebSocket (RFC 6455, 4.1) and removes any other,
// together with its option in Connection. An upgrade to h2c would let a client bypass
// the gateway.
func limitUpgrade(r *http.Request) {
	header := r.Header
	protocols, found := header["Upgrade"]
	may := r.Method == http.MethodGet && r.ContentLength == 0 // a body could pass for the tunnel's first frames
	if !found || may && len(protocols) == 1 && equalFold(protocols[0], "websocket") {
		return
	}
	delete(header, "Upgrade")
	var kept []string
	for _, line := range header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.Trim(option, " \t")
			if option != "" && !equalFold(option, "upgrade") {
				kept = append(kept, option)
			}
		}
	}
	if len(kept) == 0 {
		delete(header, "Connection")
		return
	}
	header["Connection"] = []string{strings.Join(kept, ", ")}
}

// checkTrailers refuses a request that announces trailers which may not be trailers.
// A backend that merges them into the header would believe them, and they come too late
// for the gateway to act on them.
func checkTrailers(r *http.Request) error {
	for name := range r.Trailer {
		if fault := nameFault(name); fault != "" {
			return fmt.Errorf("%w: the Trailer header announces an invalid name: %s", ErrMalformed, fault)
		}
		if !mayTrail(name) {
			return fmt.Errorf("%w: %s may not be a trailer", ErrMalformed, name)
		}
	}
	return nil
}

// mayTrail excludes from trailers what must be known before the body is read (RFC
// 9110, 6.5.1): framing, routing, authentication, request modifiers and content format;
// and the fields that a client must not set at all.
func mayTrail(name string) bool {
	switch name {
	case "Cookie", "Set-Cookie", "Upgrade":
		return false
	}
	return httpguts.ValidTrailerHeader(name) && !isOurs(name)
}
