package systemtest

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
)

// A request that could not be read is in the log and in the metrics like any.
func TestWhatCannotBeReadIsToldOf(t *testing.T) {
	w := start(t, nil)
	r := w.raw("POST /api/v1/test?secret HTTP/1.1\r\nHost: x\r\nTransfer---Encoding: chunked\r\n\r\n")
	if r.StatusCode != 400 || r.code() != "bad_request" {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	w.eventually("logged", func() bool { return w.log.count("bad_request") > 0 })
	line := w.log.find("reason", "bad_request")
	for key, want := range map[string]any{
		"path": "/api/v1/test", "method": "POST", "client": "127.0.0.1", "request_id": r.Header.Get("X-Request-Id"), "status": 400.0,
	} {
		if line[key] != want {
			t.Errorf("the log has %s %v, want %v", key, line[key], want)
		}
	}
	if err, _ := line["err"].(string); !strings.Contains(err, "could be mistaken for") {
		t.Errorf("the log says %v", line)
	}
}

// A body that stalls is the client's fault, and has a status that says so.
func TestABodyThatStalls(t *testing.T) {
	w := start(t, map[string]string{"server_timeouts.readTimeout": "50ms"})
	key := w.token(desk.Grant{})
	head := "Host: x\r\nAuthorization: Bearer " + key.JWT + "\r\n"
	for name, raw := range map[string]string{
		"short":  "POST /api/v1/test HTTP/1.1\r\nContent-Length: 100\r\n" + head + "\r\nhalf",
		"long":   "POST /api/v1/test HTTP/1.1\r\nContent-Length: 100000\r\n" + head + "\r\nhalf",
		"chunks": "POST /api/v1/test HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + head + "\r\n4\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.sendRaw(t, []byte(raw))
			said, err := io.ReadAll(conn)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Error("the connection stays open")
			}
			if !strings.HasPrefix(string(said), "HTTP/1.1 408 ") || !strings.Contains(string(said), `"code":"bad_request"`) {
				t.Errorf("%s", said)
			}
		})
	}
}

// A proxy that writes something else than addresses is told of once, not each time.
func TestAnElementThatIsNoAddressIsLoggedOnce(t *testing.T) {
	w := start(t, map[string]string{"application.trusted_proxies": "127.0.0.0/8"})
	for range 3 {
		w.raw("GET /api/v1/test HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9, what \r\n\r\n")
	}
	if n := w.log.count("X-Forwarded-For"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
	if line := w.log.find("level", "warn"); line["element"] != "what" || line["proxy"] != "127.0.0.1" {
		t.Errorf("the log says %v", line)
	}
}
