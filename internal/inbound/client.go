package inbound

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// origin is where a request came from: the peer on the connection, and the
// client that it acts for.
type origin struct {
	peer    string
	trusted bool
	client  netip.Addr
}

func (rd *Reader) originOf(r *http.Request) origin {
	addr, text := peerOf(r.RemoteAddr)
	from := origin{peer: text, trusted: rd.trusts(addr), client: addr}
	if from.trusted {
		from.client = rd.clientBehind(addr, r.Header["X-Forwarded-For"])
	}
	return from
}

// peerOf parses host:port. The text is a part of remote where that is in the
// usual form already.
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

// clientBehind follows X-Forwarded-For from its right end, where the nearest
// proxy wrote, as long as proxies are trusted to have written the truth. The
// first address that is not a trusted proxy's is the client. What is no address
// ends the walk: nothing to its left can be vouched for.
func (rd *Reader) clientBehind(peer netip.Addr, lines []string) netip.Addr {
	client := peer
	for _, line := range slices.Backward(lines) {
		for more := true; more; {
			var entry string
			line, entry, more = cutLast(line, ',')
			addr, ok := parseHop(entry)
			if !ok {
				return client
			}
			client = addr
			if !rd.trusts(addr) {
				return client
			}
		}
	}
	return client
}

// parseHop parses one entry of X-Forwarded-For. A zone means nothing to anyone
// but the host that wrote it, so it is not taken.
func parseHop(entry string) (netip.Addr, bool) {
	entry = strings.Trim(entry, " \t")
	if strings.Contains(entry, "%") {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(entry)
	return addr.Unmap(), err == nil
}

// cutLast slices s around its last separator. Without one, all is after.
func cutLast(s string, separator byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, separator)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// forwarded builds the fields for the backend. What the client wrote into them
// counts only if the peer is trusted, and host and scheme only if they are
// well formed.
func (from origin) forwarded(r *http.Request) Forwarded {
	f := Forwarded{For: from.peer, Host: r.Host, Proto: "http"}
	if r.TLS != nil {
		f.Proto = "https"
	}
	if !from.trusted {
		return f
	}
	if chain := strings.Join(r.Header["X-Forwarded-For"], ", "); chain != "" {
		f.For = chain + ", " + from.peer
	}
	if hosts := r.Header["X-Forwarded-Host"]; len(hosts) == 1 && hostFault(hosts[0]) == "" {
		f.Host = hosts[0]
	}
	if protos := r.Header["X-Forwarded-Proto"]; len(protos) == 1 && (protos[0] == "http" || protos[0] == "https") {
		f.Proto = protos[0]
	}
	return f
}

// unmapPrefix turns a prefix of IPv4-mapped IPv6 addresses into the IPv4 one:
// the addresses that it is compared with are unmapped.
func unmapPrefix(prefix netip.Prefix) netip.Prefix {
	const mapped = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix
}
