package config

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// sound maps texts to what they mean; unsound are refused.
func testKind[T any](t *testing.T, k kind[T], sound map[string]T, unsound ...string) {
	t.Helper()
	for text, want := range sound {
		got, err := k.parse(text)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %q = %v, %v; want %v", k.name, text, got, err, want)
		}
	}
	for _, text := range unsound {
		if got, err := k.parse(text); err == nil {
			t.Errorf("%s %q = %v, want an error", k.name, text, got)
		}
	}
}

func TestKinds(t *testing.T) {
	testKind(t, boolean(), map[string]bool{"true": true, "false": false, "1": true, "0": false}, "", "yes", "on", "2")

	testKind(t, integer(0, 65535), map[string]int{"0": 0, "65535": 65535},
		"", "-1", "65536", "1.0", "1e3", "0x10", "1_000", " 1", "99999999999999999999")

	testKind(t, size(), map[string]int64{
		"0": 0, "5": 5, "64KiB": 64 << 10, "10MiB": 10 << 20, "1GiB": 1 << 30,
		"9223372036854775807": math.MaxInt64, "8589934591GiB": 8589934591 << 30,
	}, "", "-1", "-1KiB", "10MB", "10M", "10 MiB", "1.5MiB", "KiB", "1KiBKiB", "8589934592GiB", "9223372036854775808")

	testKind(t, timeout(), map[string]time.Duration{"1ns": 1, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute, "1d12h": 36 * time.Hour},
		"", "0", "0s", "-1s", "5", "5.5", "5 s", "1.5d", "-1d", "9999999h")
	testKind(t, delay(), map[string]time.Duration{"0": 0, "0s": 0, "3s": 3 * time.Second}, "", "3", "-1ns")
	testKind(t, window(), map[string]time.Duration{"1s": time.Second, "744h": 744 * time.Hour, "31d": 744 * time.Hour, "60s": time.Minute, "1000ms": time.Second},
		"", "0", "999ms", "1500ms", "744h0m1s", "60", "32d", "31d1s")

	testKind(t, oneOf("Debug", "Info"), map[string]string{"Debug": "Debug", "dEBUG": "Debug", "info": "Info"}, "", "Trace", "Inf")

	testKind(t, ip(), map[string]netip.Addr{"0.0.0.0": netip.IPv4Unspecified(), "::1": netip.IPv6Loopback()},
		"", "localhost", "1.2.3", "1.2.3.4:80", "[::1]", "01.2.3.4")

	testKind(t, network(), map[string]netip.Prefix{
		"10.1.2.3":       netip.MustParsePrefix("10.1.2.3/32"),
		"::1":            netip.MustParsePrefix("::1/128"),
		"10.1.2.3/8":     netip.MustParsePrefix("10.0.0.0/8"),
		"2001:db8::1/32": netip.MustParsePrefix("2001:db8::/32"),
	}, "", "10.0.0.0/33", "10.0.0.0/", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "example.org")

	testKind(t, listOf(hostPort()), map[string][]string{
		"": nil, " ": nil, ",": nil, "a:1": {"a:1"}, "a:1,": {"a:1"}, "a:1, b:2 , ": {"a:1", "b:2"},
	}, "a:1,,b:2", ",a:1", "a:1,,", "a", "a:1 b:2")

	testKind(t, hostPort(), map[string]string{"localhost:6379": "localhost:6379", "[::1]:1": "[::1]:1", "my_redis.a-b:65535": "my_redis.a-b:65535"},
		"", "localhost", "localhost:", ":6379", "localhost:0", "localhost:65536", "localhost:http", "::1:6379", "a b:1", "a/b:1", "redis://h:1", "u:p@h:1")

	testKind(t, keyPrefix(), map[string]string{"token:": "token:", "a/b.c-": "a/b.c-"},
		"", " ", "a b", "a\t", "a\x00", "{a}", "a}", "*", "a?", "[a]", `a\`)
}

func TestTarget(t *testing.T) {
	for _, text := range []string{
		"http://backend", "http://backend-whoami:80", "https://a_b.example:8443", "HTTP://Backend:80", "http://10.0.0.1", "http://[::1]:8080",
	} {
		u, err := target().parse(text)
		if err != nil || !strings.EqualFold(u.String(), text) {
			t.Errorf("%q = %v, %v", text, u, err)
		}
	}
	if u, err := target().parse(""); u != nil || err != nil {
		t.Errorf("not set = %v, %v", u, err)
	}
	testKind(t, target(), nil,
		"backend", "backend:80", "//backend", "ftp://backend", "http://", "http:backend", "http:///x", " http://backend",
		"http://backend/", "http://backend/x", "http://backend?", "http://backend?q", "http://backend#", "http://backend#f",
		"http://u@backend", "http://u:p@backend", "http://@backend", "http://backend:", "http://backend:0", "http://backend:65536",
		"http://backend:x", "http://:80", "http://a,b", "http://a b", "http://a%20b", "http://[::1", "http://[fe80::1%25eth0]", "http://a\n")
}

func TestSigningSecret(t *testing.T) {
	for text, strong := range map[string]bool{
		"":                             true, // not set
		ExampleSecret:                  true,
		strings.Repeat("ab", 16):       true,
		strings.Repeat("ab", 15) + "a": false,
		strings.Repeat("a", 64):        false,
		" " + strings.Repeat("é", 15):  false,
		"  " + strings.Repeat("é", 15): true, // bytes count, and blanks are bytes
	} {
		got, err := signingSecret().parse(text)
		if (err == nil) != strong {
			t.Errorf("%d bytes: %v, want strong %t", len(text), err, strong)
		}
		if err == nil && got.Reveal() != text {
			t.Errorf("%d bytes came back changed", len(text))
		}
	}
}
