package upstream

import (
	"net/http"
	"strconv"
	"strings"
)

// appendHead appends the request header for the backend.
func (u *Upstream) appendHead(b []byte, r *http.Request, out *Outgoing) []byte {
	b = append(append(b, r.Method...), ' ')
	b = append(append(b, out.Path...), out.Query...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if u.opts.PreserveHost {
		b = append(b, r.Host...)
	} else {
		b = append(b, u.opts.Target.Host...)
	}
	b = append(b, "\r\n"...)
	options := r.Header["Connection"]
	for name, values := range r.Header {
		if !u.passes(name, values, options) {
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	b = appendField(b, "X-Request-Id", out.RequestID)
	if out.ForwardedFor != "" {
		b = appendField(b, "X-Forwarded-For", out.ForwardedFor)
	}
	b = appendField(b, "X-Forwarded-Host", out.ForwardedHost)
	b = appendField(b, "X-Forwarded-Proto", out.ForwardedProto)
	b = appendFraming(b, r)
	return append(b, "\r\n"...)
}

// passes reports whether the gateway forwards a field of the client. It does not forward
// fields that it sets itself, nor those that the client's Connection names, except the
// credential, which Connection must not remove.
func (u *Upstream) passes(name string, values, options []string) bool {
	switch name {
	case "Authorization":
		return !u.opts.StripAuthorization
	case "Te":
		return len(values) == 1 && values[0] == "trailers"
	case "Content-Length", "Expect",
		"X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
		return false
	}
	return !hopByHop(name) && (options == nil || !names(options, name))
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// appendFraming declares the body's length, as net/http does, and the trailers that may
// follow it.
func appendFraming(b []byte, r *http.Request) []byte {
	switch {
	case chunked(r):
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for name := range r.Trailer {
			b = appendField(b, "Trailer", name)
		}
		return b
	case r.ContentLength == 0 && r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodPatch:
		return b
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, r.ContentLength, 10)
	return append(b, "\r\n"...)
}

// chunked reports whether a body is sent in chunks: its length is unknown or, as HTTP/2
// allows, it has a length and trailers, which HTTP/1 allows only after chunks.
func chunked(r *http.Request) bool {
	return r.ContentLength < 0 || r.ContentLength > 0 && len(r.Trailer) > 0
}

// hopByHop reports whether a field ends at each hop (RFC 9110, 7.6.1), or older programs
// believe so. The name is in canonical form.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// names reports whether the lines of a Connection field contain this option.
func names(lines []string, option string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), option) {
				return true
			}
		}
	}
	return false
}

// replayable reports whether a request may be retried if the connection turns out to be
// closed: it must be idempotent (RFC 9110, 9.2.2) and have no body, which would be gone
// after the first try.
func replayable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return r.ContentLength == 0
	}
	return false
}
