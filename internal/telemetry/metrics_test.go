package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/tykctl/tykctl/internal/gateway"
)

// exposed is what a scrape gets when everything has happened once.
func exposed(t *testing.T) string {
	t.Helper()
	m := NewMetrics("v1", "go1", func() int { return 7 })
	m.Request(gateway.Exchange{Status: 200, Reason: gateway.ReasonOK, Total: 45 * time.Second, Upstream: 45 * time.Second})
	m.Redis("take", time.Millisecond, "timeout")
	out := httptest.NewRecorder()
	m.Handler().ServeHTTP(out, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return out.Body.String()
}

// By the rules of `promtool check metrics`, whose library this is.
func TestMetricsAreIdiomatic(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(exposed(t))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Scrapes list metrics by name, so that none can refer to the one before it.
func TestMetricsHelpStandsAlone(t *testing.T) {
	for line := range strings.Lines(exposed(t)) {
		help, ok := strings.CutPrefix(line, "# HELP tykctl_")
		if !ok {
			continue
		}
		name, text, _ := strings.Cut(strings.TrimSpace(help), " ")
		if strings.HasPrefix(text, "Of ") || !strings.HasSuffix(text, ".") || len(text) < 20 {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestMetricsValues(t *testing.T) {
	text := exposed(t)
	for _, want := range []string{
		"tykctl_log_dropped_total 7\n",
		"tykctl_requests_total{code=\"200\",reason=\"ok\"} 1\n",
		"tykctl_request_duration_seconds_bucket{le=\"60\"} 1\n",
		"tykctl_request_duration_seconds_bucket{le=\"30\"} 0\n",
		"tykctl_upstream_duration_seconds_bucket{le=\"60\"} 1\n",
		"tykctl_redis_errors_total{kind=\"timeout\",op=\"take\"} 1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}
