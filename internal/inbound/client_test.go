package inbound_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/inbound"
)

func trusting(prefixes ...string) *inbound.Reader {
	var options inbound.Options
	for _, prefix := range prefixes {
		options.TrustedProxies = append(options.TrustedProxies, netip.MustParsePrefix(prefix))
	}
	return inbound.NewReader(options)
}

func TestClient(t *testing.T) {
	reader := trusting("10.0.0.0/8", "2001:db8::/32", "::ffff:172.16.0.0/108")
	tests := []struct {
		name    string
		remote  string
		lines   []string
		client  string
		forward string
	}{
		{"untrusted peer", "192.0.2.1:80", nil, "192.0.2.1", "192.0.2.1"},
		{"untrusted peer that forges", "192.0.2.1:80", []string{"203.0.113.9"}, "192.0.2.1", "192.0.2.1"},
		{"mapped peer", "[::ffff:192.0.2.1]:80", nil, "192.0.2.1", "192.0.2.1"},
		{"IPv6 peer", "[2001:db9::1]:80", nil, "2001:db9::1", "2001:db9::1"},
		{"peer with a zone", "[fe80::1%eth0]:80", nil, "fe80::1", "fe80::1"},
		{"Unix socket", "@", []string{"203.0.113.9"}, "", ""},

		{"trusted peer alone", "10.0.0.1:80", nil, "10.0.0.1", "10.0.0.1"},
		{"trusted peer", "10.0.0.1:80", []string{"203.0.113.9"}, "203.0.113.9", "203.0.113.9, 10.0.0.1"},
		{"trusted mapped peer", "[::ffff:10.0.0.1]:80", []string{"203.0.113.9"}, "203.0.113.9", "203.0.113.9, 10.0.0.1"},
		{"trusted IPv6 peer", "[2001:db8::1]:80", []string{"203.0.113.9"}, "203.0.113.9", "203.0.113.9, 2001:db8::1"},
		{"trusted by a mapped prefix", "172.31.0.1:80", []string{"203.0.113.9"}, "203.0.113.9", "203.0.113.9, 172.31.0.1"},
		{"outside a mapped prefix", "172.15.0.1:80", []string{"203.0.113.9"}, "172.15.0.1", "172.15.0.1"},
		{"client forged the left end", "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9", "1.1.1.1, 203.0.113.9, 10.0.0.1"},
		{"chain of proxies", "10.0.0.1:80", []string{"1.1.1.1,203.0.113.9,10.2.2.2 ,\t2001:db8::2"}, "203.0.113.9", "1.1.1.1,203.0.113.9,10.2.2.2 ,\t2001:db8::2, 10.0.0.1"},
		{"several lines", "10.0.0.1:80", []string{"1.1.1.1", "203.0.113.9, 10.3.3.3", "10.2.2.2"}, "203.0.113.9", "1.1.1.1, 203.0.113.9, 10.3.3.3, 10.2.2.2, 10.0.0.1"},
		{"proxies only", "10.0.0.1:80", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3", "10.3.3.3, 10.2.2.2, 10.0.0.1"},
		{"mapped client", "10.0.0.1:80", []string{"::ffff:203.0.113.9"}, "203.0.113.9", "::ffff:203.0.113.9, 10.0.0.1"},
		{"mapped proxy in the chain", "10.0.0.1:80", []string{"203.0.113.9, ::ffff:10.2.2.2"}, "203.0.113.9", "203.0.113.9, ::ffff:10.2.2.2, 10.0.0.1"},
		{"malformed entry", "10.0.0.1:80", []string{"203.0.113.9, unknown"}, "10.0.0.1", "10.0.0.1"},
		{"malformed behind a proxy", "10.0.0.1:80", []string{"203.0.113.9, 1.2.3, 10.2.2.2"}, "10.2.2.2", "10.2.2.2, 10.0.0.1"},
		{"empty entry", "10.0.0.1:80", []string{"203.0.113.9,, 10.2.2.2"}, "10.2.2.2", "10.2.2.2, 10.0.0.1"},
		{"empty line", "10.0.0.1:80", []string{""}, "10.0.0.1", "10.0.0.1"},
		{"malformed at the left end", "10.0.0.1:80", []string{"unknown, 203.0.113.9"}, "203.0.113.9", "203.0.113.9, 10.0.0.1"},
		{"entry with a port", "10.0.0.1:80", []string{"203.0.113.9:51234"}, "203.0.113.9", "203.0.113.9, 10.0.0.1"},
		{"IPv6 entry with a port", "10.0.0.1:80", []string{"1.1.1.1:1, [2001:db9::9]:51234"}, "2001:db9::9", "1.1.1.1, 2001:db9::9, 10.0.0.1"},
		{"IPv6 entry in brackets", "10.0.0.1:80", []string{"[2001:db9::9]"}, "2001:db9::9", "2001:db9::9, 10.0.0.1"},
		{"mapped entry with a port", "10.0.0.1:80", []string{"[::ffff:203.0.113.9]:1"}, "203.0.113.9", "::ffff:203.0.113.9, 10.0.0.1"},
		{"proxy with a port", "10.0.0.1:80", []string{"203.0.113.9, 10.2.2.2:80"}, "203.0.113.9", "203.0.113.9, 10.2.2.2, 10.0.0.1"},
		{"entry with half a port", "10.0.0.1:80", []string{"203.0.113.9:"}, "10.0.0.1", "10.0.0.1"},
		{"entry with no port of a host", "10.0.0.1:80", []string{"203.0.113.9:65536"}, "10.0.0.1", "10.0.0.1"},
		{"entry with a signed port", "10.0.0.1:80", []string{"203.0.113.9:+80"}, "10.0.0.1", "10.0.0.1"},
		{"entry with a name", "10.0.0.1:80", []string{"client.example:80"}, "10.0.0.1", "10.0.0.1"},
		{"IPv4 entry in brackets", "10.0.0.1:80", []string{"[203.0.113.9]:80"}, "10.0.0.1", "10.0.0.1"},
		{"entry with one bracket", "10.0.0.1:80", []string{"[2001:db9::9"}, "10.0.0.1", "10.0.0.1"},
		{"entry with words behind", "10.0.0.1:80", []string{"[2001:db9::9]x"}, "10.0.0.1", "10.0.0.1"},
		{"entry with a zone", "10.0.0.1:80", []string{"fe80::1%eth0"}, "10.0.0.1", "10.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			r.RemoteAddr = tt.remote
			r.Header["X-Forwarded-For"] = tt.lines
			got, err := reader.Read(r)
			if err != nil {
				t.Fatal(err)
			}
			var want netip.Addr
			if tt.client != "" {
				want = netip.MustParseAddr(tt.client)
			}
			if got.Client != want {
				t.Errorf("Client = %v, want %v", got.Client, want)
			}
			if got.Forwarded.For != tt.forward {
				t.Errorf("Forwarded.For = %q, want %q", got.Forwarded.For, tt.forward)
			}
		})
	}
}

// What cannot be read is told, cut to what a log may hold.
func TestUnreadableElementsAreTold(t *testing.T) {
	var told []string
	reader := inbound.NewReader(inbound.Options{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		OnUnreadable:   func(peer, element string) { told = append(told, peer+" "+element) },
	})
	for _, remote := range []string{"10.0.0.1:80", "192.0.2.1:80"} { // of which one is trusted
		r := ordinary()
		r.RemoteAddr = remote
		r.Header["X-Forwarded-For"] = []string{"nobody, who\x80, 10.2.2.2"}
		if _, err := reader.Read(r); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"10.0.0.1 who"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestForwardedHostAndProto(t *testing.T) {
	reader := trusting("10.0.0.0/8")
	ours := inbound.Forwarded{For: "10.0.0.1", Host: "gateway.example", Proto: "http"}
	told := inbound.Forwarded{For: "10.0.0.1", Host: "shop.example:8443", Proto: "https"}
	tests := []struct {
		name          string
		remote        string
		hosts, protos []string
		want          inbound.Forwarded
	}{
		{"trusted peer", "10.0.0.1:80", []string{"shop.example:8443"}, []string{"https"}, told},
		{"trusted peer that says nothing", "10.0.0.1:80", nil, nil, ours},
		{"lists", "10.0.0.1:80", []string{"a.example, b.example"}, []string{"https, http"}, ours},
		{"two lines", "10.0.0.1:80", []string{"a.example", "b.example"}, []string{"https", "https"}, ours},
		{"not well formed", "10.0.0.1:80", []string{"user@evil/x"}, []string{"gopher"}, ours},
		{"empty", "10.0.0.1:80", []string{""}, []string{""}, ours},
		{
			"untrusted peer", "192.0.2.1:80", []string{"shop.example"}, []string{"https"},
			inbound.Forwarded{For: "192.0.2.1", Host: "gateway.example", Proto: "http"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			r.RemoteAddr = tt.remote
			r.Header["X-Forwarded-Host"], r.Header["X-Forwarded-Proto"] = tt.hosts, tt.protos
			got, err := reader.Read(r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Forwarded != tt.want {
				t.Errorf("Forwarded = %+v, want %+v", got.Forwarded, tt.want)
			}
		})
	}
}

func TestOptionsAreCopied(t *testing.T) {
	options := inbound.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	reader := inbound.NewReader(options)
	options.TrustedProxies[0] = netip.MustParsePrefix("192.0.2.0/24")
	r := ordinary()
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	got, err := reader.Read(r)
	if err != nil || got.Client != netip.MustParseAddr(peer) {
		t.Errorf("Client = %v, %v; want %s", got.Client, err, peer)
	}
}

// FuzzForwardedFor holds the walk against one over the whole list, split first.
func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.9", "10.0.0.2")
	f.Add("1.1.1.1, ::ffff:10.1.1.1", "10.0.0.2, 10.0.0.3")
	f.Add("", "")
	f.Add("fe80::1%x", ",")
	f.Add("203.0.113.9", "unknown")
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	reader := trusting(trusted.String())
	f.Fuzz(func(t *testing.T, first, second string) {
		r := ordinary()
		r.RemoteAddr = "10.0.0.1:80"
		r.Header["X-Forwarded-For"] = []string{first, second}
		got, _ := reader.Read(r)

		want := netip.MustParseAddr("10.0.0.1")
		entries := strings.Split(first+","+second, ",")
		for i := len(entries) - 1; i >= 0 && trusted.Contains(want); i-- {
			addr, err := netip.ParseAddr(strings.Trim(entries[i], " \t"))
			if err != nil || addr.Zone() != "" {
				break
			}
			want = addr.Unmap()
		}
		if got.Client != want {
			t.Errorf("%q, %q: Client = %v, want %v", first, second, got.Client, want)
		}
	})
}
