package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tykctl/tykctl/"

// The rules of the house, each with its reason.
var importRules = []struct {
	who  func(pkg string) bool // the packages the rule binds, named from the module's root
	what func(imported string) bool
	why  string
}{
	{
		who:  under("pkg/"),
		what: func(p string) bool { return strings.HasPrefix(p, module+"internal/") },
		why:  "pkg/ is for other programs, which cannot import internal/",
	},
	{
		who:  not("internal/cli", "internal/app"),
		what: is("internal/config"),
		why:  "options reach packages as arguments, so that each can be understood and tested alone",
	},
	{
		who: not("internal/cli", "internal/storage", "internal/ledger", "internal/registry", "internal/embedded", "internal/redistest", "internal/bench", "pkg/ratelimit/redislimit"),
		what: func(p string) bool {
			return strings.HasPrefix(p, "github.com/redis/go-redis/") || strings.HasPrefix(p, "github.com/alicebob/miniredis/")
		},
		why: "what Redis answers, and how it fails, is interpreted in one place",
	},
	{
		who:  is("internal/inbound", "internal/ledger", "internal/upstream"),
		what: func(p string) bool { return is("internal/inbound", "internal/ledger", "internal/upstream")(p) },
		why:  "stages do not know one another: only the pipeline knows their order",
	},
	{
		who:  under("internal/storage"),
		what: is("internal/ledger", "internal/registry", "internal/telemetry"),
		why:  "what serving and administration stand on knows neither",
	},
	{
		who:  not("internal/cli", "internal/desk"),
		what: is("internal/registry"),
		why:  "what serves requests must not be able to change a key",
	},
	{
		who:  is("internal/registry"),
		what: is("internal/ledger", "internal/gateway"),
		why:  "administration shares the store with serving, and nothing else",
	},
	{
		who:  is("internal/http1", "internal/httpsyntax"),
		what: func(p string) bool { return strings.HasPrefix(p, module) && !is("internal/httpsyntax")(p) },
		why:  "a server, and the syntax it reads, are to be judged by HTTP alone",
	},
	{
		who:  is("internal/duration"),
		what: func(p string) bool { return strings.HasPrefix(p, module) },
		why:  "every room may need to read a duration",
	},
	{
		who:  is("pkg/boundedmap"),
		what: func(p string) bool { return strings.HasPrefix(p, module) },
		why:  "every room may need to remember a bounded number of things",
	},
	{
		who: is("pkg/ratelimit"),
		what: func(p string) bool {
			first, _, _ := strings.Cut(p, "/")
			return strings.Contains(first, ".") && !is("pkg/boundedmap")(p)
		},
		why: "who uses limits alone should not have to take in a store and its client",
	},
	{
		who:  is("internal/storage", "internal/ledger", "internal/registry", "internal/route"),
		what: func(p string) bool { return p == "net/http" },
		why:  "a stage that knows HTTP's status codes starts to decide answers",
	},
	{
		who:  not("internal/cli", "internal/systemtest"),
		what: is("internal/app"),
		why:  "whoever can open the whole program no longer says what it needs",
	},
	{
		who:  not("cmd/tykctl", "internal/systemtest"),
		what: is("internal/cli"),
		why:  "what commands share with others belongs in desk",
	},
	{
		who: is("internal/desk"),
		what: func(p string) bool {
			return p == "net/http" || p == "os" || strings.HasPrefix(p, "github.com/spf13/") || is("internal/term", "internal/server", "internal/upstream")(p)
		},
		why: "a use case serves every front end: commands, and an admin API, bring their own flags, streams and status codes",
	},
	{
		who:  is("internal/term"),
		what: func(p string) bool { return strings.HasPrefix(p, module) && !is("internal/duration")(p) },
		why:  "drawing knows nothing of keys, so that it can be judged by what is seen",
	},
	{
		who:  not(),
		what: is("internal/certtest"),
		why:  "keys of tests must not sign in earnest",
	},
	{
		who:  not("internal/cli"),
		what: is("internal/embedded"),
		why:  "what --dev brings along must not serve in earnest",
	},
}

func TestImports(t *testing.T) {
	pkgs := listPackages(t)
	if len(pkgs) < 15 {
		t.Fatalf("found only %d packages: %v", len(pkgs), pkgs)
	}
	for pkg, imports := range pkgs {
		for _, rule := range importRules {
			if !rule.who(module + pkg) {
				continue
			}
			for _, imported := range imports {
				if rule.what(imported) {
					t.Errorf("%s imports %s, but %s", pkg, imported, rule.why)
				}
			}
		}
	}
}

// listPackages returns each package of the module with its direct imports.
func listPackages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	pkgs := map[string][]string{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[strings.TrimPrefix(p.ImportPath, module)] = p.Imports
	}
}

func under(dir string) func(string) bool {
	return func(p string) bool { return strings.HasPrefix(p, module+dir) }
}

func is(names ...string) func(string) bool {
	return func(p string) bool { return slices.Contains(names, strings.TrimPrefix(p, module)) }
}

func not(names ...string) func(string) bool {
	return func(p string) bool { return !is(names...)(p) }
}
