package inbound

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// origin says where a request came from: the peer on the connection and the client
// that it acts for.
type origin struct {
	peer    string
	trusted bool
	client  netip.Addr
	chain   string // the addresses that a trusted peer reports, as far as they can be read
}

func (rd *Reader) originOf(r *http.Request) origin {
	addr, text := peerOf(r.RemoteAddr)
	from := origin{peer: text, trusted: rd.trusts(addr), client: addr}
	if from.trusted {
		rd.follow(&from, r.Header["X-Forwarded-For"])
	}
	return from
}

// peerOf parses host:port. The text is a substring of remote if that is in the usual
// form.
func peerOf(remote string) (netip.Addr, string) {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}, ""
	}
	addr := peer.Addr()
	if addr.Is4In6() || addr.Zone() != "" {
		addr = addr.Unmap().WithZone("")
		return addr, addr.String()
	}
	text := remote[:strings.LastIndexByte(remote, ':')]
	return addr, strings.Trim(text, "[]")
}

func (rd *Reader) trusts(addr netip.Addr) bool {
	for _, prefix := range rd.trustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// follow reads X-Forwarded-For from right to left, starting with the nearest proxy.
// The first address that is not a trusted proxy is the client. The chain continues
// beyond it but ends at an element that is not an address: nothing to its left can be
// trusted.
func (rd *Reader) follow(from *origin, lines []string) {
	var hops []string
	known, asWritten := false, true
	for _, line := range slices.Backward(lines) {
		if line == "" {
			asWritten = false
			continue
		}
		for more := true; more; {
			var entry string
			line, entry, more = cutLast(line, ',')
			addr, text, ok := parseHop(entry)
			if !ok {
				rd.onUnreadable(from.peer, loggable(strings.Trim(entry, " \t")))
				from.chain = joinBackward(hops)
				return
			}
			hops = append(hops, text)
			asWritten = asWritten && len(text) == len(strings.Trim(entry, " \t"))
			if !known {
				from.client, known = addr, !rd.trusts(addr)
			}
		}
	}
	if from.chain = strings.Join(lines, ", "); !asWritten {
		from.chain = joinBackward(hops)
	}
}

func joinBackward(hops []string) string {
	slices.Reverse(hops)
	return strings.Join(hops, ", ")
}

// parseHop parses one entry of X-Forwarded-For. It also returns the address as
// written. Some proxies append a port, with an IPv6 address in brackets; parseHop drops
// it. It refuses a zone, which means nothing outside the host that wrote it.
func parseHop(entry string) (addr netip.Addr, text string, ok bool) {
	text = strings.Trim(entry, " \t")
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		var rest string
		text, rest, ok = strings.Cut(inner, "]")
		if !ok || !strings.Contains(text, ":") || rest != "" && !isPort(rest) {
			return netip.Addr{}, "", false
		}
	} else if i := strings.IndexByte(text, ':'); i >= 0 && strings.IndexByte(text, '.') >= 0 && i > strings.LastIndexByte(text, '.') {
		if !isPort(text[i:]) {
			return netip.Addr{}, "", false
		}
		text = text[:i]
	}
	if strings.Contains(text, "%") {
		return netip.Addr{}, "", false
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap(), text, err == nil
}

// isPort reports whether s is a colon and a port number.
func isPort(s string) bool {
	digits, ok := strings.CutPrefix(s, ":")
	_, err := strconv.ParseUint(digits, 10, 16)
	return ok && err == nil && consistsOf(digits, &digitBytes)
}

// cutLast splits s at its last separator. Without one, after is all of s.
func cutLast(s string, separator byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, separator)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// forwarded builds the fields for the backend. It uses those of the request only if
// the peer is trusted, and host and scheme only if they are well formed.
func (from origin) forwarded(r *http.Request) Forwarded {
	f := Forwarded{For: from.peer, Host: r.Host, Proto: "http"}
	if r.TLS != nil {
		f.Proto = "https"
	}
	if !from.trusted {
		return f
	}
	if from.chain != "" {
		f.For = from.chain + ", " + from.peer
	}
	if hosts := r.Header["X-Forwarded-Host"]; len(hosts) == 1 && hostFault(hosts[0]) == "" {
		f.Host = hosts[0]
	}
	if protos := r.Header["X-Forwarded-Proto"]; len(protos) == 1 && (protos[0] == "http" || protos[0] == "https") {
		f.Proto = protos[0]
	}
	return f
}

// unmapPrefix turns a prefix of IPv4-mapped IPv6 addresses into the IPv4 prefix,
// because the addresses it is compared with are unmapped.
func unmapPrefix(prefix netip.Prefix) netip.Prefix {
	const mapped = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix
}
