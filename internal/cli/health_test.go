package cli

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	w := start(t, nil)
	w.ready()
	var out bytes.Buffer
	a := &app{out: &out}
	for _, path := range []string{"/health", "/ready"} {
		if err := a.health(t.Context(), http.DefaultClient, w.url+path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if out.String() != "Ok\nOk\n" {
		t.Errorf("it printed %q", out.String())
	}
	w.redis.Stop()
	w.eventually("not ready", func() bool { return w.in.ledger.Ready() != nil })
	if err := a.health(t.Context(), http.DefaultClient, w.url+"/health"); err != nil {
		t.Errorf("/health without Redis: %v", err)
	}
	if err := a.health(t.Context(), http.DefaultClient, w.url+"/ready"); err == nil || !strings.Contains(err.Error(), "redis") {
		t.Errorf("/ready without Redis: %v", err)
	}
}
