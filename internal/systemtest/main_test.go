package systemtest

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tykctl/tykctl/internal/cli"
)

// repository is its root, from this package.
const repository = "../.."

// printed runs a command that must succeed.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	a := &cli.Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return nil }, Now: time.Now}
	if code := a.Run(t.Context(), args); code != cli.ExitOK {
		t.Fatalf("%v: exit %d: %s", args, code, errs.String())
	}
	return out.String()
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMain lets the test's own binary be tykctl, for processes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tykctl": func() { os.Exit(cli.Main()) }})
}
