package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/pkg/jwtauth"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// A kind is a sort of value: how its text is read, and what to call it.
// Every layer's value is brought to text first, so parse is the only reader.
type kind[T any] struct {
	name    string
	accepts string // completes "must be …"
	json    shape  // what the file may hold
	parse   func(text string) (T, error)
}

// A parse error completes "must be …, " in a fault. It shows a value only where
// that value cannot hold a credential by an honest mistake.
func not(text string) error { return fmt.Errorf("not %.40q", text) }

func text() kind[string] {
	return kind[string]{"text", "a text", asString, func(s string) (string, error) { return s, nil }}
}

func path() kind[string] {
	return kind[string]{"path", "the path of a file", asString, func(s string) (string, error) { return s, nil }}
}

func secret() kind[Secret] {
	return kind[Secret]{"secret", "a text", asString, func(s string) (Secret, error) { return NewSecret(s), nil }}
}

// signingSecret accepts what can sign tokens, or nothing.
func signingSecret() kind[Secret] {
	accepts := "a text of at least 32 random bytes, such as `tykctl secret` prints"
	return kind[Secret]{"secret", accepts, asString, func(s string) (Secret, error) {
		if s == "" {
			return Secret{}, nil
		}
		// What is strong enough for one algorithm is so for all.
		if _, err := jwtauth.NewHMACKey("HS256", []byte(s)); err != nil {
			return Secret{}, errors.New("not a weak one: it is shorter, or one byte repeated")
		}
		return NewSecret(s), nil
	}}
}

func boolean() kind[bool] {
	return kind[bool]{"boolean", "true or false", asBool, func(s string) (bool, error) {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return false, not(s)
		}
		return b, nil
	}}
}

// unbounded is the upper end of an integer that has no natural one.
const unbounded = math.MaxInt32

func integer(low, high int) kind[int] {
	accepts := fmt.Sprintf("a whole number from %d to %d", low, high)
	if high == unbounded {
		accepts = fmt.Sprintf("a whole number, %d or more", low)
	}
	return kind[int]{"integer", accepts, asNumber, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, not(s)
		}
		return n, nil
	}}
}

func size() kind[int64] {
	accepts := "a size in bytes, or in KiB, MiB or GiB as in 10MiB"
	return kind[int64]{"size", accepts, asNumber | asString, func(s string) (int64, error) {
		digits, unit := s, int64(1)
		for i, suffix := range []string{"KiB", "MiB", "GiB"} {
			if before, found := strings.CutSuffix(s, suffix); found {
				digits, unit = before, 1<<(10*(i+1))
			}
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit {
			return 0, not(s)
		}
		return n * unit, nil
	}}
}

// span accepts durations from low up to high, a multiple of step. A high of 0 is
// no bound.
func span(accepts string, low, high, step time.Duration) kind[time.Duration] {
	return kind[time.Duration]{"duration", accepts, asNumber | asString, func(s string) (time.Duration, error) {
		d, err := duration.Parse(s)
		if err != nil {
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				return 0, fmt.Errorf("with its unit: \"%.20ss\" if seconds are meant", s)
			}
			return 0, not(s)
		}
		if d < low || high > 0 && d > high || d%step != 0 {
			return 0, not(s)
		}
		return d, nil
	}}
}

func timeout() kind[time.Duration] { return span(`a duration above 0, as in "5s"`, 1, 0, 1) }
func delay() kind[time.Duration]   { return span(`a duration, 0 or more, as in "5s"`, 0, 0, 1) }

func window() kind[time.Duration] {
	return span(`a duration in whole seconds from "1s" to "31d"`, time.Second, 31*duration.Day, time.Second)
}

func maxDelay() kind[time.Duration] {
	return span(`a duration from "0s" to "24h"`, 0, 24*time.Hour, 1)
}

func algorithm() kind[ratelimit.Algorithm] {
	names := oneOf(string(ratelimit.FixedWindow), string(ratelimit.SlidingWindow),
		string(ratelimit.TokenBucket), string(ratelimit.LeakyBucket))
	return kind[ratelimit.Algorithm]{names.name, names.accepts, names.json, func(s string) (ratelimit.Algorithm, error) {
		name, err := names.parse(s)
		return ratelimit.Algorithm(name), err
	}}
}

// oneOf accepts any letter case and returns the name as it is listed.
func oneOf(names ...string) kind[string] {
	accepts := names[0]
	if last := len(names) - 1; last > 0 {
		accepts = strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return kind[string]{"name", accepts, asString, func(s string) (string, error) {
		for _, name := range names {
			if strings.EqualFold(name, s) {
				return name, nil
			}
		}
		return "", not(s)
	}}
}

// listOf reads comma-separated elements; blanks around them do not count.
func listOf[T any](element kind[T]) kind[[]T] {
	return kind[[]T]{"list", "a list, each element " + element.accepts, asList, func(s string) ([]T, error) {
		s = strings.TrimSuffix(strings.TrimSpace(s), ",")
		if s == "" {
			return nil, nil
		}
		var list []T
		for i, part := range strings.Split(s, ",") {
			value, err := element.parse(strings.TrimSpace(part))
			if err != nil {
				return nil, fmt.Errorf("and element %d is wrong: %w", i+1, err)
			}
			list = append(list, value)
		}
		return list, nil
	}}
}

func ip() kind[netip.Addr] {
	return kind[netip.Addr]{"address", "an IP address", asString, func(s string) (netip.Addr, error) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Addr{}, not(s)
		}
		return addr, nil
	}}
}

// network accepts an address as the network that holds it alone. IPv4 in IPv6
// form is refused: as a network it would match no IPv4 peer.
func network() kind[netip.Prefix] {
	accepts := "an IP address or a network such as 10.0.0.0/8"
	return kind[netip.Prefix]{"network", accepts, asString, func(s string) (netip.Prefix, error) {
		prefix, err := netip.ParsePrefix(s)
		if addr, addrErr := netip.ParseAddr(s); addrErr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			return netip.Prefix{}, not(s)
		}
		return prefix.Masked(), nil
	}}
}

func hostPort() kind[string] {
	return kind[string]{"host:port", "host:port", asString, func(s string) (string, error) {
		if strings.Contains(s, "://") || strings.Contains(s, "@") {
			return "", errors.New("not a URL: user name, password and TLS have options of their own")
		}
		host, port, err := net.SplitHostPort(s)
		if err != nil || !validHost(host) || !validPort(port) {
			return "", not(s)
		}
		return s, nil
	}}
}

// target reads the backend's address. It never shows the value, which may
// hold a password.
func target() kind[*url.URL] {
	accepts := "a URL of the form http://host[:port] or https://host[:port]"
	return kind[*url.URL]{"url", accepts, asString, func(s string) (*url.URL, error) {
		if s == "" {
			return nil, nil
		}
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return nil, errors.New("as in http://backend:80")
		case u.User != nil:
			return nil, errors.New("without user name or password")
		case !strings.EqualFold(u.Scheme+"://"+u.Host, s):
			return nil, errors.New("with nothing after it: no path (not even /), query or fragment")
		case !validHost(u.Hostname()) || strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port()):
			return nil, errors.New("and its host or port is not valid")
		}
		return u, nil
	}}
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	})
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// keyPrefix refuses what would change the meaning of a Redis key: braces move
// it to another Cluster slot, and the rest are read as patterns when listing.
func keyPrefix() kind[string] {
	accepts := "a text that is not empty and holds no blanks, control characters, braces or any of * ? [ ] \\"
	return kind[string]{"text", accepts, asString, func(s string) (string, error) {
		if s == "" || strings.ContainsAny(s, `{}*?[]\`) || strings.ContainsFunc(s, blankOrControl) {
			return "", not(s)
		}
		return s, nil
	}}
}

func blankOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
