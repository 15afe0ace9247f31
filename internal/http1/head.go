package http1

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/tykctl/tykctl/internal/httpsyntax"
)

// errNotPlain means that a request is for the other server.
var errNotPlain = errors.New("the request is not plain")

// parseHead reads a header, which ends in an empty line. What it does not know to mean
// the same to everybody is [errNotPlain].
func (r *request) parseHead(head string) error {
	line, rest, _ := strings.Cut(head, "\r\n")
	if err := r.parseRequestLine(line); err != nil {
		return err
	}
	hosts, lengths := 0, 0
	for {
		if line, rest, _ = strings.Cut(rest, "\r\n"); line == "" {
			break
		}
		name, value, ok := httpsyntax.ParseField(line)
		if !ok {
			return errNotPlain
		}
		switch name {
		case "Host": // which has its own place, as in net/http
			r.Host = value
			hosts++
			continue
		case "Content-Length":
			if r.ContentLength, ok = parseLength(value); !ok {
				return errNotPlain
			}
			lengths++
		case "Connection":
			if r.Close, ok = parseConnection(value, r.Close); !ok {
				return errNotPlain
			}
		case "Transfer-Encoding", "Trailer", "Upgrade", "Expect", "Pragma":
			return errNotPlain // net/http makes a Cache-Control of Pragma
		}
		r.addField(name, value)
	}
	if hosts != 1 || !consistsOf(r.Host, &hostBytes) || lengths > 1 {
		return errNotPlain
	}
	return nil
}

// parseRequestLine reads METHOD SP /target SP HTTP/1.1.
func (r *request) parseRequestLine(line string) error {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if !consistsOf(method, &upperBytes) || version != "HTTP/1.1" ||
		!strings.HasPrefix(target, "/") || !consistsOf(target, &printableBytes) {
		return errNotPlain
	}
	r.Method, r.RequestURI, r.URL = method, target, &r.url
	path, query, asked := strings.Cut(target, "?")
	if consistsOf(path, &pathBytes) && (query != "") == asked {
		r.url = url.URL{Path: path, RawQuery: query}
		return nil
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return errNotPlain
	}
	r.URL = u
	return nil
}

func parseLength(value string) (n int64, ok bool) {
	const most = 18 // digits, so that no length overflows
	if len(value) > most || !consistsOf(value, &digitBytes) {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil
}

// parseConnection takes the two usual options. It reports whether the client takes
// no further answer.
func parseConnection(value string, before bool) (last, ok bool) {
	switch {
	case strings.EqualFold(value, "keep-alive"):
		return before, true
	case strings.EqualFold(value, "close"):
		return true, true
	}
	return false, false
}

// addField makes no array for each of the first values.
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

	upperBytes     = bytesOf(upper)
	digitBytes     = bytesOf("0123456789")
	hostBytes      = bytesOf(alphanumeric + "-._:[]")
	pathBytes      = bytesOf(alphanumeric + "-._~/$&+,:;=@") // those that package url leaves as they are
	printableBytes = bytesIn(0x21, 0x7e)
)

func bytesOf(members string) (s set) {
	for i := range len(members) {
		s[members[i]] = true
	}
	return s
}

func bytesIn(first, last byte) (s set) {
	for b := int(first); b <= int(last); b++ {
		s[b] = true
	}
	return s
}

// consistsOf reports whether s has bytes, and only such.
func consistsOf(s string, of *set) bool {
	for i := range len(s) {
		if !of[s[i]] {
			return false
		}
	}
	return s != ""
}
