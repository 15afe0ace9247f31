package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/gateway"
	"github.com/tykctl/tykctl/internal/inbound"
)

// exchange is one as the gateway observes it.
func exchange() gateway.Exchange {
	return gateway.Exchange{
		Request: inbound.Request{
			ID: "FV3O2CVPHFMKATUAEIZWRLPJGW", Method: "GET", Path: "/api/v1/test", Client: netip.MustParseAddr("127.0.0.1"),
		},
		Status: 200, Reason: gateway.ReasonOK, KeyHash: "102a7df6be2e",
		Total: 3 * time.Millisecond, Upstream: time.Millisecond, Redis: time.Millisecond,
		Sent: 241, Received: 5, Host: "api.example.com", Proto: "HTTP/1.1", UserAgent: "curl/8.5.0",
	}
}

// The names are contracts.
func TestAccessLogFields(t *testing.T) {
	var out bytes.Buffer
	x := exchange()
	x.Delayed = time.Second
	AccessLog(slog.New(slog.NewJSONHandler(&out, nil)))(x)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request",
		"status": 200.0, "reason": "ok", "method": "GET", "path": "/api/v1/test", "client": "127.0.0.1",
		"request_id": "FV3O2CVPHFMKATUAEIZWRLPJGW", "key": "102a7df6be2e", "ours_ms": 0.0, "upstream_ms": 1.0, "redis_ms": 1.0,
		"bytes": 241.0, "bytes_in": 5.0, "host": "api.example.com", "proto": "HTTP/1.1", "user_agent": "curl/8.5.0", "delayed_ms": 1000.0,
	}
	delete(line, "time")
	for name, value := range want {
		if line[name] != value {
			t.Errorf("%s: %v, want %v", name, line[name], value)
		}
		delete(line, name)
	}
	if len(line) > 0 {
		t.Errorf("further fields: %v", line)
	}
}

func TestLoggable(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"curl/8.5.0":                  "curl/8.5.0",
		`say "\n" \`:                  `say "\n" \`,
		"a\x1b[31m\tb\r\nc\x00":       `a\x1b[31m\tb\r\nc\x00`,
		"Überall 🦊":                   "Überall 🦊",
		"right\u202eleft\u2028next":   `right\u202eleft\u2028next`,
		"\xff\xfe":                    `\xff\xfe`,
		strings.Repeat("a", 20):       strings.Repeat("a", 20),
		strings.Repeat("a", 21):       strings.Repeat("a", 20) + "…",
		strings.Repeat("é", 11):       strings.Repeat("é", 10) + "…",
		"x" + strings.Repeat("é", 10): "x" + strings.Repeat("é", 9) + "…",
		strings.Repeat("\x80", 30):    "…",
	} {
		if got := loggable(in, 20); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
