package systemtest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/tykctl/tykctl/internal/desk"
)

// speaks is a WebSocket backend that knows these subprotocols and echoes one message.
func speaks(protocols ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: protocols})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		if kind, message, err := c.Read(r.Context()); err == nil {
			_ = c.Write(r.Context(), kind, message)
		}
		_, _, _ = c.Read(r.Context())
	}
}

// In browsers a script can give a WebSocket no header field but its subprotocols.
func TestWebSocketFromABrowser(t *testing.T) {
	w := start(t, map[string]string{"application.token.websocket_protocol": "bearer"})
	key := w.token(desk.Grant{})
	for _, tt := range []struct {
		name     string
		backend  []string // subprotocols that it knows
		offer    []string
		selected string
		seen     string // by the backend
	}{
		{"the token alone", nil, []string{"bearer", key.JWT}, "bearer", ""},
		{"one that the backend selects", []string{"chat"}, []string{"bearer", key.JWT, "chat"}, "chat", "chat"},
		{"the token last", []string{"chat", "superchat"}, []string{"superchat", "bearer", key.JWT}, "superchat", "superchat"},
		{"one that it does not know", []string{"mqtt"}, []string{"bearer", key.JWT, "chat"}, "bearer", "chat"},
		{"several", []string{"v2"}, []string{"bearer", key.JWT, "v3", "v2"}, "v2", "v3, v2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.backend.answer(speaks(tt.backend...))
			c, res, err := websocket.Dial(t.Context(), w.url+"/api/v1/test", &websocket.DialOptions{Subprotocols: tt.offer}) //nolint:bodyclose // Dial has closed it
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			// Browsers fail a connection for which they offered some and none was selected.
			if got := res.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != tt.selected || c.Subprotocol() != tt.selected {
				t.Errorf("%q was selected, want %q", got, tt.selected)
			}
			if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, message, err := c.Read(t.Context()); err != nil || string(message) != "hello" {
				t.Errorf("%q, %v", message, err)
			}
			seen := w.backend.requests()
			last := seen[len(seen)-1]
			if got := strings.Join(last.Header.Values("Sec-WebSocket-Protocol"), "; "); got != tt.seen {
				t.Errorf("the backend saw %q, want %q", got, tt.seen)
			}
			for name, values := range last.Header {
				if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, key.JWT) }) {
					t.Errorf("%s tells the backend the token", name)
				}
			}
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
		})
	}
	if n := w.used(key.APIKey); n != 5 {
		t.Errorf("%d permits were taken for 5 handshakes", n)
	}

	reached := len(w.backend.requests())
	dial := func(status int, field string, offer ...string) {
		t.Helper()
		h := http.Header{}
		if field != "" {
			h.Set("Authorization", field)
		}
		c, res, err := websocket.Dial(t.Context(), w.url+"/api/v1/test", &websocket.DialOptions{Subprotocols: offer, HTTPHeader: h}) //nolint:bodyclose // Dial has closed it
		if err == nil {
			_ = c.CloseNow()
		}
		if res == nil || res.StatusCode != status || res.Header.Get("Sec-WebSocket-Protocol") != "" {
			t.Errorf("%q, %q: %v, want %d", field, offer, err, status)
		}
	}
	dial(401, "")
	dial(401, "", "chat")
	dial(401, "", "bearer")
	dial(401, "", "bearer", key.JWT[:len(key.JWT)-2])
	dial(401, "", key.JWT, "bearer")
	dial(400, "Bearer "+key.JWT, "bearer", key.JWT)
	dial(400, "", "bearer", key.JWT, "bearer", key.JWT)
	if n := len(w.backend.requests()); n != reached {
		t.Errorf("%d refused handshakes reached the backend", n-reached)
	}
	if log := w.log.String(); strings.Contains(log, key.JWT) || strings.Contains(log, key.JWT[strings.LastIndex(key.JWT, "."):]) || strings.Contains(log, key.APIKey) {
		t.Error("the log shows the token")
	}
}

// Without the option subprotocols are none of the gateway's business.
func TestWebSocketTokensAreOffByDefault(t *testing.T) {
	w := start(t, nil)
	w.backend.answer(speaks("bearer"))
	key := w.token(desk.Grant{})
	_, res, err := websocket.Dial(t.Context(), w.url+"/api/v1/test", &websocket.DialOptions{Subprotocols: []string{"bearer", key.JWT}}) //nolint:bodyclose // Dial has closed it
	if err == nil || res.StatusCode != 401 {
		t.Errorf("%v", err)
	}
	c, _, err := websocket.Dial(t.Context(), w.url+"/api/v1/test", &websocket.DialOptions{ //nolint:bodyclose // Dial has closed it
		Subprotocols: []string{"bearer", "other"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + key.JWT}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	seen := w.backend.requests()
	if got := seen[len(seen)-1].Header.Get("Sec-WebSocket-Protocol"); got != "bearer,other" || c.Subprotocol() != "bearer" {
		t.Errorf("the backend saw %q and %q was selected", got, c.Subprotocol())
	}
}
