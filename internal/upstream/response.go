package upstream

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

// field is one line of the backend's header, its name in canonical form.
type field struct{ name, value string }

// answer is the header of the backend's response.
type answer struct {
	status   int
	fields   []field // except those of this hop
	trailers string  // names that the backend announced
	length   int64   // of the body; unknown if below 0
	chunked  bool
	close    bool          // the backend accepts no further request on this connection
	keep     time.Duration // how long the backend lets the connection be idle; negative if unknown
}

const unknown = -1

var (
	errStatusLine = errors.New("its first line is not an HTTP/1 status line")
	errField      = errors.New("a header field is malformed")
	errLength     = errors.New("its length is ambiguous or invalid")
	errSwitched   = errors.New("it switched protocols without being asked")
	errTooEarly   = errors.New("it sent too many interim responses")
)

// parseHead reads a header, which ends in an empty line. It is strict: a header that two
// parties could read differently is an error.
func (c *conn) parseHead(head string) (answer, error) {
	line, rest, _ := strings.Cut(head, "\r\n")
	a := answer{length: unknown, keep: unknown, fields: c.fields[:0]}
	minor, err := a.parseStatus(line)
	if err != nil {
		return a, err
	}
	a.close = minor == '0'
	var options []string
	var length, encoding string
	for {
		if line, rest, _ = strings.Cut(rest, "\r\n"); line == "" {
			break
		}
		name, value, ok := httpsyntax.ParseField(line)
		if !ok {
			return a, errField
		}
		switch name {
		case "Content-Length":
			if value == "" || length != "" && length != value {
				return a, errLength
			}
			if length == "" {
				a.fields = append(a.fields, field{name, value})
			}
			length = value
		case "Transfer-Encoding":
			if encoding != "" || !strings.EqualFold(value, "chunked") {
				return a, errLength
			}
			encoding = value
		case "Connection":
			options = append(options, value)
		case "Keep-Alive":
			a.keep = keepAlive(value)
		case "Trailer":
			a.trailers += "," + value
		default:
			if !hopByHop(name) {
				a.fields = append(a.fields, field{name, value})
			}
		}
	}
	c.fields = a.fields
	if options != nil {
		a.close = a.close && !names(options, "keep-alive") || names(options, "close")
		a.fields = slices.DeleteFunc(a.fields, func(f field) bool { return names(options, f.name) && f.name != "Content-Length" })
	}
	return a, a.frame(length, encoding, minor)
}

// parseStatus reads HTTP/1.x SP status [SP reason], and returns the x.
func (a *answer) parseStatus(line string) (minor byte, err error) {
	const prefix, size = "HTTP/1.", len("HTTP/1.1 200")
	if len(line) < size || line[:len(prefix)] != prefix || line[len(prefix)+1] != ' ' ||
		len(line) > size && line[size] != ' ' {
		return 0, errStatusLine
	}
	minor = line[len(prefix)]
	a.status, err = strconv.Atoi(line[size-3 : size])
	if err != nil || a.status < 100 || minor != '0' && minor != '1' || !httpguts.ValidHeaderFieldValue(line) {
		return 0, errStatusLine
	}
	return minor, nil
}

// frame determines the body's length (RFC 9112, 6.3).
func (a *answer) frame(length, encoding string, minor byte) error {
	if encoding != "" {
		if length != "" || minor == '0' {
			return errLength
		}
		a.chunked = true
		return nil
	}
	if length == "" {
		return nil
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return errLength
	}
	a.length = int64(n)
	return nil
}

// bodiless reports whether a response has no body, whatever its header says.
func bodiless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// setHeader puts the backend's fields into h, except those named in own.
func (a *answer) setHeader(h http.Header, own []string) {
	values := make([]string, len(a.fields))
	for i, f := range a.fields {
		if isOwn(own, f.name) {
			continue
		}
		if before := h[f.name]; before != nil {
			h[f.name] = append(before, f.value)
			continue
		}
		values[i] = f.value
		h[f.name] = values[i : i+1 : i+1] // so that an append copies
	}
}

// isOwn ignores case, because RateLimit is not in canonical form.
func isOwn(own []string, name string) bool {
	for _, o := range own {
		if len(o) == len(name) && strings.EqualFold(o, name) {
			return true
		}
	}
	return false
}
