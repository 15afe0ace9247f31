package route_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/route"
)

func TestCheckAccepts(t *testing.T) {
	for _, pattern := range []string{
		"/",
		"/api/v1/test",
		"/dir/",
		"/*",
		"/**",
		"/users/*",
		"/users/*/",
		"/users/*/posts",
		"/users/*/posts/**",
		"/a%20b",
		"/caf%C3%A9/%2b",
		"/...",
		"/.well-known/x",
		"/pkg.Service/Method",
		"GET /users/*",
		"M-SEARCH /",
		"VERSION2 /files/**",
	} {
		if err := route.Check(pattern); err != nil {
			t.Errorf("Check(%q) = %v, want nil", pattern, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct{ pattern, says string }{
		{"", "must start with /"},
		{"users", "must start with /"},
		{"**", "must start with /"},
		{"GET", "must start with /"},
		{"GET\t/x", "must start with /"},
		{"GET ", "the path must start with /"},
		{"GET users", "the path must start with /"},
		{"GET  /x", "one space"},
		{" /x", "must not start with a space"},
		{"get /x", "upper case"},
		{"Get /x", "upper case"},
		{"GET,POST /x", "contains an invalid character"},
		{"GÉT /x", "contains an invalid character"},
		{"http://host/ /x", "upper case"},
		{"/x?y=1", "leave out the query"},
		{"/x#y", "fragment"},
		{"/a b", "%20"},
		{"/a ", "%20"},
		{"GET /a\tb", "%20"},
		{"/a\x00", "visible ASCII"},
		{"/a\x7f", "visible ASCII"},
		{"/é", "percent-encoded"},
		{`/a\b`, "backslash"},
		{"/a;v=1", "semicolon"},
		{"/%61dmin", "write a, which"},
		{"GET /a%7Eb", "write ~, which"},
		{"/a/%2e%2e/b", "write ., which"},
		{"/a%2Fb", "%2Fb"[:3]},
		{"/a%00", "leave it out"},
		{"/a%", "hexadecimal"},
		{"/a%4", "hexadecimal"},
		{"/a%zz", "hexadecimal"},
		{"/users*", "whole segment"},
		{"/users/*x", "whole segment"},
		{"/users/***", "whole segment"},
		{"/users/**/posts", "only at the end"},
		{"/users/**/", "only at the end"},
		{"/a//b", "empty segment"},
		{"//", "empty segment"},
		{"/a/../b", "dot segment"},
		{"/a/.", "dot segment"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			err := route.Check(tt.pattern)
			if !errors.Is(err, route.ErrPattern) {
				t.Fatalf("Check(%q) = %v, want an ErrPattern", tt.pattern, err)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check(%q) = %q, which does not say %q", tt.pattern, err, tt.says)
			}
		})
	}
}
