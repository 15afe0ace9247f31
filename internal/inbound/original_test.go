package inbound_test

import (
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/inbound"
)

func TestOriginalRequest(t *testing.T) {
	nginx := http.Header{"X-Original-Method": {"PUT"}, "X-Original-Uri": {"/a?b"}}
	traefik := http.Header{"X-Forwarded-Method": {"PUT"}, "X-Forwarded-Uri": {"/a?b"}}
	with := func(h http.Header, name string, values ...string) http.Header {
		h = h.Clone()
		h[name] = values
		return h
	}
	trusted := inbound.Options{ForwardAuth: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix(peer + "/32")}}
	for _, tt := range []struct {
		name   string
		target string
		header http.Header
		want   error
	}{
		{"nginx", "/auth", nginx, nil},
		{"Traefik", "/auth", traefik, nil},
		{"a query", "/auth?x=/y", nginx, nil},
		{"nothing", "/auth", http.Header{}, inbound.ErrMalformed},
		{"no target", "/auth", with(nginx, "X-Original-Uri"), inbound.ErrMalformed},
		{"two targets", "/auth", with(traefik, "X-Forwarded-Uri", "/a", "/b"), inbound.ErrMalformed},
		{"two methods", "/auth", with(nginx, "X-Original-Method", "GET", "PUT"), inbound.ErrMalformed},
		{"both conventions", "/auth", with(nginx, "X-Forwarded-Uri", "/a?b"), inbound.ErrMalformed},
		{"both conventions, both whole", "/auth", with(with(nginx, "X-Forwarded-Uri", "/a?b"), "X-Forwarded-Method", "PUT"), inbound.ErrMalformed},
		{"both conventions, by halves", "/auth", http.Header{"X-Original-Method": {"GET"}, "X-Forwarded-Uri": {"/a"}}, inbound.ErrMalformed},
		{"a method to be refused", "/auth", with(nginx, "X-Original-Method", "CONNECT"), inbound.ErrMethod},
		{"a target to be refused", "/auth", with(nginx, "X-Original-Uri", "/%2e"), inbound.ErrMalformed},
		{"a target that is too long", "/auth", with(nginx, "X-Original-Uri", "/"+strings.Repeat("a", 8<<10)), inbound.ErrTargetTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ordinary()
			r.RequestURI = tt.target
			maps.Copy(r.Header, tt.header)
			got, err := inbound.NewReader(trusted).Read(r)
			if !errors.Is(err, tt.want) || !got.Asked {
				t.Fatalf("asked %t, error %v, want %v", got.Asked, err, tt.want)
			}
			if err == nil && (got.Method != "PUT" || got.Path != "/a" || got.Query != "?b") {
				t.Errorf("read as %+v", got)
			}
		})
	}
	t.Run("a stranger", func(t *testing.T) {
		r := ordinary()
		r.RequestURI, r.RemoteAddr = "/auth", "192.0.2.2:1"
		r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{"GET"}, []string{"/a"}
		if got, err := inbound.NewReader(trusted).Read(r); !errors.Is(err, inbound.ErrUntrusted) || got.Path != "/auth" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for _, target := range []string{"/auth/", "/Auth", "/auth2", "/a?/auth"} {
		r := ordinary()
		r.RequestURI = target
		if got, err := inbound.NewReader(trusted).Read(r); err != nil || got.Asked || got.Path+got.Query != target {
			t.Errorf("%s: %+v, %v", target, got, err)
		}
	}
}
