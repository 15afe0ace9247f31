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

// checkHost requires a host that can be read in one way. HTTP/2 servers leave
// a Host field in the header beside the :authority that became r.Host.
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

// hostFault takes a name, an IPv4 address or an IPv6 address in brackets, with
// or without a port. User information is refused, and so is what RFC 3986 lets
// a registered name hold but no DNS name does.
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

// readFields checks and measures every field, and removes those that must not
// pass. A header too large comes before a malformed one, so that the answer
// does not hang on the order in which a map is walked.
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
		delete(r.Header, "Te") // only that is for the backend, and gRPC servers ask for it
	}
	return nil
}

// nameFault refuses underscores because CGI and its heirs read them and
// hyphens alike: X_Forwarded_For would pass for the field that we write.
func nameFault(name string) string {
	switch {
	case !isToken(name):
		return "a header name contains an invalid character"
	case strings.Contains(name, "_"):
		return "a header name contains an underscore"
	case httpsyntax.Disguised(name):
		return "a header name could be mistaken for Content-Length or Transfer-Encoding"
	}
	return ""
}

// checkLength holds a request over HTTP/2 to its Content-Length. net/http's server
// takes that from the first of several, ignores it if it is not a number, and does not
// look at it if there is no body; a body that is too long it refuses itself.
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

// The fields in which a client has no say, in Go's canonical form. SECURITY.md lists
// the overrides.
var (
	overrides = []string{ // of method, target or host: no one must honour them
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Http-Path-Override",
		"X-Original-Method", "X-Original-Url", "X-Original-Uri", "X-Original-Host", "Original-Url",
		"X-Rewrite-Url", "X-Rewrite-Uri", "X-Override-Url",
	}
	ours = newNameSet(overrides,
		"Forwarded", "X-Real-Ip", "X-Request-Id", // which the gateway writes itself
		"X-Api-Key-Hash",                    // what we tell a proxy that asks at /auth, and it the backend
		"Proxy",                             // which CGI programs take for HTTP_PROXY
		"Host", "Http2-Settings", "Trailer") // whose purpose ends at this hop
)

func newNameSet(overrides []string, others ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range slices.Concat(overrides, others) {
		set[name] = true
	}
	return set
}

// isOurs reports whether a client has no say in a field. A name with anything else
// in the place of a hyphen counts, too: CGI and its heirs make the same variable of
// X.Forwarded.For and X-Forwarded-For.
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

// limitUpgrade leaves an upgrade to WebSocket, RFC 6455, 4.1, and removes any
// other, with the mention of it in Connection. An upgrade to h2c would let a
// client speak to the backend past the gateway.
func limitUpgrade(r *http.Request) {
	header := r.Header
	protocols, found := header["Upgrade"]
	may := r.Method == http.MethodGet && r.ContentLength == 0 // a body would pass for what the tunnel carries
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

// checkTrailers refuses a body that is to be followed by fields which may not come
// there: a backend that takes them for header fields would believe them, and they
// come too late for this hop to act on them.
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

// mayTrail keeps out of trailers what has to be known before a body is read (RFC
// 9110, 6.5.1): framing, routing, authentication, request modifiers, the content's
// format; and the fields in which a client has no say at all.
func mayTrail(name string) bool {
	switch name {
	case "Cookie", "Set-Cookie", "Upgrade":
		return false
	}
	return httpguts.ValidTrailerHeader(name) && !isOurs(name)
}
