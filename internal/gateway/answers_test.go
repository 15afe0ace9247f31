package gateway

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/http1"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/upstream"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// The contract: what outsiders' scripts rely on.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		reason string
		header string
	}{
		{inbound.ErrMalformed, 400, "bad_request", ""},
		{inbound.ErrUntrusted, 400, "bad_request", ""},
		{http1.ErrMalformed, 400, "bad_request", ""},
		{http1.ErrTargetTooLong, 414, "too_large", ""},
		{http1.ErrHeaderTooLarge, 431, "too_large", ""},
		{inbound.ErrHeader, 400, "bad_request", ""},
		{inbound.ErrLength, 400, "bad_request", ""},
		{inbound.ErrTokenTooLarge, 431, "too_large", ""},
		{inbound.ErrMethod, 405, "bad_request", "Allow"},
		{inbound.ErrTargetTooLong, 414, "too_large", ""},
		{inbound.ErrHeadersTooLarge, 431, "too_large", ""},
		{inbound.ErrBodyTooLarge, 413, "too_large", ""},
		{inbound.ErrNoToken, 401, "missing_token", `WWW-Authenticate: Bearer realm="tykctl"`},
		{inbound.ErrBadToken, 401, "invalid_token", `WWW-Authenticate: Bearer realm="tykctl", error="invalid_token"`},
		{jwtauth.ErrInvalid, 401, "invalid_token", `WWW-Authenticate: Bearer realm="tykctl", error="invalid_token"`},
		{jwtauth.ErrClaims, 401, "invalid_token", `WWW-Authenticate: Bearer realm="tykctl", error="invalid_token"`},
		{jwtauth.ErrExpired, 401, "expired_token", `WWW-Authenticate: Bearer realm="tykctl", error="invalid_token"`},
		{storage.ErrUnknown, 401, "unknown_token", `WWW-Authenticate: Bearer realm="tykctl", error="invalid_token"`},
		{storage.ErrExpired, 401, "expired_token", `WWW-Authenticate: Bearer realm="tykctl", error="invalid_token"`},
		{storage.ErrRecord, 503, "store_unavailable", "Retry-After: 1"},
		{storage.ErrUnavailable, 503, "store_unavailable", "Retry-After: 1"},
		{errOverloaded, 503, "overloaded", "Retry-After: 1"},
		{errDraining, 503, "overloaded", ""},
		{errRoute, 403, "route_forbidden", `WWW-Authenticate: Bearer realm="tykctl", error="insufficient_scope"`},
		{errLimited, 429, "rate_limited", ""},
		{upstream.ErrUnreachable, 502, "upstream_unreachable", ""},
		{upstream.ErrTimeout, 504, "upstream_timeout", ""},
		{upstream.ErrInvalid, 502, "upstream_invalid", ""},
		{upstream.ErrClosed, 502, "upstream_invalid", ""},
		{upstream.ErrCut, 502, "upstream_invalid", ""},
		{upstream.ErrGone, 499, "client_gone", ""},
		{fmt.Errorf("%w: %w", upstream.ErrCut, upstream.ErrTimeout), 504, "upstream_timeout", ""},
		{fmt.Errorf("%w: %w", upstream.ErrBody, upstream.ErrTrailer), 400, "bad_request", ""},
		{fmt.Errorf("%w: %w", upstream.ErrCut, upstream.ErrGone), 499, "client_gone", ""},
		{context.Canceled, 499, "client_gone", ""},
		{upstream.ErrBodyTooLarge, 413, "too_large", ""},
		{upstream.ErrBodyTimeout, 408, "bad_request", ""},
		{upstream.ErrBody, 400, "bad_request", ""},
		{errors.New("never heard of"), 500, "internal_error", ""},
	} {
		a, stage := answerTo(fmt.Errorf("while testing: %w", tt.err))
		header := strings.TrimSuffix(strings.Join(a.header[:], ": "), ": ")
		if a.status != tt.status || string(a.reason) != tt.reason || !strings.HasPrefix(header, tt.header) || (tt.header == "") != (header == "") {
			t.Errorf("%v: %d %s %q, want %d %s %q", tt.err, a.status, a.reason, header, tt.status, tt.reason, tt.header)
		}
		if a.detail == "" || stage == "" {
			t.Errorf("%v: the client is told %q, of the stage %q", tt.err, a.detail, stage)
		}
	}
}

// TestEveryErrorHasARow finds the stages' sentinels in their sources, so that a
// new one cannot be forgotten here.
func TestEveryErrorHasARow(t *testing.T) {
	source := readFile(t, "answers.go")
	noRow := []string{
		"jwtauth.ErrWeakSecret", "jwtauth.ErrAlgorithm", "jwtauth.ErrKey", // of the configuration
	}
	found := 0
	for name, dir := range map[string]string{
		"http1": "../http1", "inbound": "../inbound", "storage": "../storage", "ledger": "../ledger", "upstream": "../upstream", "jwtauth": "../../pkg/jwtauth",
	} {
		for _, sentinel := range sentinels(t, dir) {
			found++
			full := name + "." + sentinel
			if !strings.Contains(source, "{"+full+", ") && !slices.Contains(noRow, full) {
				t.Errorf("%s has no row in the table of answers", full)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d sentinels were found", found)
	}
}

// TestREADMEExplainsEveryReason keeps the links of problem types alive.
func TestREADMEExplainsEveryReason(t *testing.T) {
	readme := readFile(t, "../../README.md")
	for _, row := range answers {
		if !strings.Contains(readme, fmt.Sprintf("<a id=%q></a>`%[1]s`", row.reason)) {
			t.Errorf("README does not explain %s", row.reason)
		}
	}
}

// sentinels lists the exported error variables of a package.
func sentinels(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", dir, files, err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, object := range parsed.Scope.Objects {
			if object.Kind == ast.Var && strings.HasPrefix(name, "Err") {
				names = append(names, name)
			}
		}
	}
	return names
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
