// Package cors tells browsers whether a page of another origin may use an API (the CORS
// protocol of the Fetch standard, https://fetch.spec.whatwg.org/#http-cors-protocol).
//
// A [Policy] is made once from [Options] and then only sets header fields. It does not
// decide about requests: a client other than a browser can omit Origin. The gateway
// decides which preflights it answers, and when.
package cors

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Any, as an element of a list in [Options], stands for all values. It must not be used
// with credentials, because browsers then take it literally.
const Any = "*"

// Options are the operator's settings. The zero value turns CORS off.
type Options struct {
	Origins []string      // exact, as browsers send them, or Any; none turns CORS off
	Methods []string      // that a page may use, or Any
	Headers []string      // that a page may send, or Any
	Expose  []string      // that a page may read in responses besides the gateway's own, or Any
	MaxAge  time.Duration // how long a browser may cache the response to a preflight, in whole seconds
	// Credentials lets a page send cookies and client certificates. It does not affect
	// the Authorization header, which a page sets itself.
	Credentials bool
}

// A Policy sets the header fields that the options require. It is immutable and safe for
// concurrent use. To set fields allocates only what the header map needs, and once more
// if the response already has a Vary field.
type Policy struct {
	origins     map[string][]string // Access-Control-Allow-Origin by origin
	any         []string            // Access-Control-Allow-Origin for all others; nil for none
	credentials []string
	methods     []string
	headers     []string
	expose      []string
	maxAge      []string
}

// New makes a policy. Without origins it returns nil, on which only Allows may be called.
// exposed are header names that pages may read in any case. The error is that of
// [Options.Check].
func New(o Options, exposed ...string) (*Policy, error) {
	if len(o.Origins) == 0 {
		return nil, nil
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	headers := o.Headers
	if slices.Contains(headers, Any) && !slices.ContainsFunc(headers, isAuthorization) {
		headers = append(slices.Clone(headers), "Authorization") // * does not include it
	}
	p := &Policy{
		origins: make(map[string][]string),
		methods: joined(o.Methods), headers: joined(headers), expose: joined(append(slices.Clone(o.Expose), exposed...)),
		maxAge: []string{strconv.FormatInt(int64(o.MaxAge/time.Second), 10)},
	}
	for _, origin := range o.Origins {
		if origin == Any {
			p.any = []string{Any}
		}
	}
	for _, origin := range o.Origins {
		p.origins[origin] = []string{origin}
		if p.any != nil {
			p.origins[origin] = p.any
		}
	}
	if o.Credentials {
		p.credentials = []string{"true"}
	}
	return p, nil
}

func isAuthorization(name string) bool { return strings.EqualFold(name, "Authorization") }

// joined returns a list as the value of one field; nil for an empty list.
func joined(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return []string{strings.Join(list, ", ")}
}

// Check returns the first fault of the options, alone or combined. Its text starts with
// the name of the faulty member and a colon. Without origins it checks nothing.
func (o Options) Check() error {
	if len(o.Origins) == 0 {
		return nil
	}
	for _, origin := range o.Origins {
		if err := CheckOrigin(origin); err != nil {
			return fmt.Errorf("origins: %q is not an origin: %w", origin, err)
		}
	}
	for _, list := range []struct {
		name     string
		elements []string
	}{{"origins", o.Origins}, {"methods", o.Methods}, {"headers", o.Headers}, {"expose", o.Expose}} {
		if o.Credentials && slices.Contains(list.elements, Any) {
			return fmt.Errorf("%s: * cannot be combined with credentials, because browsers then take it literally; list each one", list.name)
		}
		for _, name := range list.elements {
			if list.name != "origins" && !httpguts.ValidHeaderFieldName(name) {
				return fmt.Errorf("%s: %q is not a valid name", list.name, name)
			}
		}
	}
	return nil
}

// CheckOrigin says why no browser sends this origin (RFC 6454, section 6.2). It returns
// nil for a valid origin and for [Any].
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case origin == Any:
		return nil
	case origin == "null":
		return errors.New("null cannot be allowed, because any sandboxed page or local file sends it")
	case err != nil || u.Scheme == "" || u.Host == "":
		return errors.New("it must be a scheme and a host, as in https://app.example.com")
	case u.User != nil:
		return errors.New("it must not contain a user name")
	case u.Path == "/" && u.RawQuery == "" && u.Fragment == "":
		return fmt.Errorf("browsers send it without the trailing slash: %s", strings.TrimSuffix(origin, "/"))
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return errors.New("nothing may follow the host and the port: an origin has no path")
	case strings.Contains(origin, Any):
		return errors.New("* must stand alone; list each host")
	case strings.ToLower(origin) != origin:
		return fmt.Errorf("browsers send it in lower case: %s", strings.ToLower(origin))
	case u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443":
		return fmt.Errorf("browsers omit the scheme's default port: %s://%s", u.Scheme, strings.TrimSuffix(u.Host, ":"+u.Port()))
	case origin != u.Scheme+"://"+u.Host || !soundHost(u):
		return errors.New("its host must be an ASCII name (punycode for others) or an address")
	}
	return nil
}

// soundHost accepts names and addresses as browsers serialize them.
func soundHost(u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Port() != "" && (err != nil || strconv.FormatUint(port, 10) != u.Port()) || strings.HasSuffix(u.Host, ":") {
		return false
	}
	if name := u.Hostname(); strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(name)
		return err == nil && addr.Is6() && addr.Zone() == "" && addr.String() == name
	}
	return u.Hostname() != "" && strings.Trim(u.Hostname(), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// Origin returns the origin of the page that made a request; "" if the header does not
// name exactly one.
func Origin(h http.Header) string {
	if origins := h["Origin"]; len(origins) == 1 {
		return origins[0]
	}
	return ""
}

// IsPreflight reports whether a request with this method and header is a browser's
// CORS-preflight request (Fetch standard).
func IsPreflight(method string, h http.Header) bool {
	return method == http.MethodOptions && Origin(h) != "" && len(h["Access-Control-Request-Method"]) == 1
}

// Allows reports whether pages of this origin may use the API.
func (p *Policy) Allows(origin string) bool { return p != nil && p.allowed(origin) != nil }

func (p *Policy) allowed(origin string) []string {
	if said := p.origins[origin]; said != nil || origin == "" {
		return said
	}
	return p.any
}

var varyOrigin = []string{"Origin"} // shared, with no room to append to

// Set sets the fields of a response to a page of this origin. It removes the backend's
// Access-Control-* fields from h, so that there is one policy. It adds Origin to Vary
// whether or not the origin is allowed, because caches may keep either response.
func (p *Policy) Set(h http.Header, origin string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	switch vary := h["Vary"]; {
	case vary == nil:
		h["Vary"] = varyOrigin
	case !names(vary, "Origin"):
		h["Vary"] = append(slices.Clip(vary), "Origin")
	}
	said := p.allowed(origin)
	if said == nil {
		return
	}
	h["Access-Control-Allow-Origin"] = said
	set(h, "Access-Control-Allow-Credentials", p.credentials)
	set(h, "Access-Control-Expose-Headers", p.expose)
}

// SetPreflight sets the fields of Set and those of a response to a preflight.
func (p *Policy) SetPreflight(h http.Header, origin string) {
	p.Set(h, origin)
	if p.allowed(origin) == nil {
		return
	}
	set(h, "Access-Control-Allow-Methods", p.methods)
	set(h, "Access-Control-Allow-Headers", p.headers)
	set(h, "Access-Control-Max-Age", p.maxAge)
}

func set(h http.Header, name string, value []string) {
	if value != nil {
		h[name] = value
	}
}

// names reports whether a Vary field names this field, or all.
func names(lines []string, name string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element == Any || strings.EqualFold(element, name) {
				return true
			}
		}
	}
	return false
}
