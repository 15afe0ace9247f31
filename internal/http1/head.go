package http1

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

// Every error passed to [Server.Refuse] wraps one of these. The client may read its
// text, which gives the reason.
var (
	// ErrMalformed is a header that violates HTTP/1.1 (RFC 9112), or that two
	// recipients could read differently.
	ErrMalformed = errors.New("malformed request")
	// ErrTargetTooLong is a request line longer than a header may be.
	ErrTargetTooLong = errors.New("request target too long")
	// ErrHeaderTooLarge is a header over [http.Server.MaxHeaderBytes].
	ErrHeaderTooLarge = errors.New("header fields too large")
)

// errNotPlain means that a request is well formed and belongs to the other server.
var errNotPlain = errors.New("the request is not plain")

func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }

// refusable reports whether the client gets a response that says why its request could
// not be read.
func refusable(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrTargetTooLong) || errors.Is(err, ErrHeaderTooLarge)
}

// parseHead reads a header, which ends in an empty line. It returns [errNotPlain] only
// for a header that net/http reads, too.
func (r *request) parseHead(head string) error {
	line, rest, _ := strings.Cut(head, "\r\n")
	plain, err := r.parseRequestLine(line)
	if err != nil {
		return err
	}
	f := framing{}
	for {
		if line, rest, _ = strings.Cut(rest, "\r\n"); line == "" {
			break
		}
		name, value, ok := httpsyntax.ParseField(line)
		if !ok {
			return malformed(fieldFault(line))
		}
		switch name {
		case "Host": // it has its own field in Request, as in net/http
			r.Host = value
			f.hosts++
			continue
		case "Content-Length":
			if r.ContentLength, ok = parseLength(value); !ok {
				return malformed("the Content-Length is not a valid number")
			}
			f.lengths++
		case "Transfer-Encoding":
			if !strings.EqualFold(value, "chunked") {
				return malformed("the only supported transfer coding is chunked")
			}
			f.codings++
		case "Connection", "Pragma":
			f.settle = true
		case "Expect":
			if !strings.EqualFold(value, "100-continue") {
				return malformed("the only supported expectation is 100-continue")
			}
			plain = false
		case "Upgrade":
			plain = plain && !strings.EqualFold(value, "websocket")
		default:
			if httpsyntax.Disguised(name) {
				return malformed("a header name could be mistaken for Content-Length or Transfer-Encoding")
			}
		}
		r.addField(name, value)
	}
	if fault := f.fault(r); fault != "" {
		return malformed(fault)
	}
	if f.settle {
		r.settle()
	}
	if !plain || f.codings > 0 {
		return errNotPlain
	}
	return nil
}

// glean takes from the beginning of a refused request what the response and the log
// need, as far as it is valid: the method, the target, Host, Origin and User-Agent.
// Nothing else of such a request can be trusted.
func (r *request) glean(head string) {
	line, rest, whole := strings.Cut(head, "\r\n")
	if !whole {
		return
	}
	if _, _ = r.parseRequestLine(line); r.old { // the fault is known already
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	}
	for {
		line, rest, whole = strings.Cut(rest, "\r\n")
		name, value, ok := httpsyntax.ParseField(line)
		if !whole || !ok {
			return
		}
		switch name {
		case "Host":
			r.Host = value
		case "Origin", "User-Agent":
			r.addField(name, value)
		}
	}
}

// framing counts the fields that may occur once.
type framing struct {
	hosts, lengths, codings int
	settle                  bool // a field means more to net/http than it says
}

func (f *framing) fault(r *request) string {
	switch {
	case f.hosts > 1:
		return "there is more than one Host header"
	case f.hosts == 0 && !r.old:
		return "there is no Host header"
	case !consistsOf(r.Host, &hostBytes) && !httpguts.ValidHostHeader(r.Host):
		return "the host is neither a name nor an address"
	case f.lengths > 1:
		return "there is more than one Content-Length header"
	case f.codings > 1:
		return "there is more than one Transfer-Encoding header"
	case f.codings > 0 && forbiddenTrailer(r.Header["Trailer"]):
		return "a header that frames the message cannot be a trailer"
	}
	return ""
}

// forbiddenTrailer reports whether net/http would refuse a trailer of these names.
func forbiddenTrailer(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			switch http.CanonicalHeaderKey(strings.Trim(name, " \t")) {
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return true
			}
		}
	}
	return false
}

// settle treats these fields as net/http's server does.
func (r *request) settle() {
	r.Close = httpguts.HeaderValuesContainsToken(r.Header["Connection"], "close")
	if pragma := r.Header["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && r.Header["Cache-Control"] == nil {
		r.Header["Cache-Control"] = []string{"no-cache"}
	}
}

// fieldFault says what is wrong with a line that is not a field.
func fieldFault(line string) string {
	name, _, found := strings.Cut(line, ":")
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return "a header is folded over two lines"
	case !found:
		return "a header line has no colon"
	case !httpguts.ValidHeaderFieldName(name):
		return "a header name is empty or contains an invalid character"
	}
	return "a header value contains a control character"
}

// maxMethod is longer than any registered method.
const maxMethod = 32

// parseRequestLine reads METHOD SP target SP HTTP/1.1, or 1.0.
func (r *request) parseRequestLine(line string) (plain bool, err error) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	switch {
	case len(method) > maxMethod:
		return false, malformed("the method is longer than " + strconv.Itoa(maxMethod) + " characters")
	case !consistsOf(method, &upperBytes) && !httpguts.ValidHeaderFieldName(method):
		return false, malformed("the method is empty or contains an invalid character")
	case !consistsOf(target, &targetBytes):
		return false, malformed("the request line is not a method, a target and a version, with one space between them")
	case version == "HTTP/1.0":
		r.old = true
	case version != "HTTP/1.1":
		return false, malformed("the request line does not end in HTTP/1.1 or HTTP/1.0")
	}
	r.Method, r.RequestURI, r.URL = method, target, &r.url
	origin := target[0] == '/'
	path, query, asked := strings.Cut(target, "?")
	if origin && consistsOf(path, &pathBytes) && (query != "") == asked {
		r.url = url.URL{Path: path, RawQuery: query}
		return !r.old && method != http.MethodConnect, nil
	}
	text := target
	if method == http.MethodConnect && !origin {
		text = "http://" + target // as net/http reads an authority
	}
	u, err := url.ParseRequestURI(text)
	if err != nil {
		return false, malformed("the target is not a path, or contains a percent sign without two hexadecimal digits")
	}
	r.URL = u
	return origin && !r.old && method != http.MethodConnect, nil
}

// checkStart refuses early what cannot become a request, because its end might never
// come. lines is the length of the whole lines in head.
func (c *conn) checkStart(head []byte, lines int) error {
	if !tokenBytes[head[0]] {
		return malformed("the request does not begin with a method")
	}
	if lines == 0 {
		return nil
	}
	line, _, _ := strings.Cut(string(head[:lines]), "\r\n")
	c.r = c.newRequest()
	_, err := c.r.parseRequestLine(line)
	return err
}

func parseLength(value string) (n int64, ok bool) {
	const most = 18 // digits, so that no length overflows
	if len(value) > most || !consistsOf(value, &digitBytes) {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil
}

// addField allocates nothing for each of the first values.
func (r *request) addField(name, value string) {
	before, ok := r.Header[name]
	if ok || r.used == len(r.values) {
		r.Header[name] = append(before, value)
		return
	}
	i := r.used
	r.used++
	r.values[i] = value
	r.Header[name] = r.values[i:r.used:r.used]
}

// set is a set of bytes.
type set [256]bool

var (
	alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyz" + upper
	upper        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

	upperBytes  = bytesOf(upper)
	tokenBytes  = bytesOf(alphanumeric + "!#$%&'*+-.^_`|~")
	digitBytes  = bytesOf("0123456789")
	hostBytes   = bytesOf(alphanumeric + "-._:[]")
	pathBytes   = bytesOf(alphanumeric + "-._~/$&+,:;=@") // those that package url leaves as they are
	targetBytes = bytesIn(bytesIn(set{}, 0x21, 0x7e), 0x80, 0xff)
)

func bytesOf(members string) (s set) {
	for i := range len(members) {
		s[members[i]] = true
	}
	return s
}

func bytesIn(s set, first, last byte) set {
	for b := int(first); b <= int(last); b++ {
		s[b] = true
	}
	return s
}

// consistsOf reports whether s is not empty and all its bytes are in the set.
func consistsOf(s string, of *set) bool {
	for i := range len(s) {
		if !of[s[i]] {
			return false
		}
	}
	return s != ""
}
