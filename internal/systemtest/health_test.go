package systemtest

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/cli"
)

// health runs the command with the configuration of a gateway that runs.
func (w *world) health(args ...string) ran {
	w.t.Helper()
	_, port, err := net.SplitHostPort(w.in.Server.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	env := []string{
		"TYK_PROX_APPLICATION__PORT=" + port,
		"TYK_PROX_SERVER__TLS__CERT=" + w.cfg.Server.TLS.Cert, "TYK_PROX_SERVER__TLS__KEY=" + w.cfg.Server.TLS.Key,
	}
	var out, errs bytes.Buffer
	a := &cli.Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return env }, Now: time.Now}
	code := a.Run(w.t.Context(), append([]string{"health", "--env"}, args...))
	return ran{out.String(), errs.String(), code}
}

func TestHealth(t *testing.T) {
	w := start(t, nil)
	w.ready()
	for _, args := range [][]string{nil, {"--ready"}} {
		if r := w.health(args...); r.code != cli.ExitOK || r.out != "Ok\n" {
			t.Errorf("%v: %+v", args, r)
		}
	}
	w.redis.Stop()
	w.eventually("not ready", func() bool { return w.in.Ledger.Ready() != nil })
	if r := w.health(); r.code != cli.ExitOK {
		t.Errorf("without Redis: %+v", r)
	}
	if r := w.health("--ready"); r.code != cli.ExitFailed || !strings.Contains(r.err, "redis") {
		t.Errorf("--ready without Redis: %+v", r)
	}
}
