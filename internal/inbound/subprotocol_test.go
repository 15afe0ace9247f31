package inbound_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/inbound"
)

func TestBearerAmongSubprotocols(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl-_"
	reader := inbound.NewReader(inbound.Options{WebSocketProtocol: "bearer"})
	auth := inbound.NewReader(inbound.Options{WebSocketProtocol: "bearer", ForwardAuth: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix(peer + "/32")}})
	upgrade := []string{"GET /a HTTP/1.1", "Host: gateway.example", "Connection: Upgrade", "Upgrade: websocket"}
	ask := []string{"GET /auth HTTP/1.1", "Host: gateway.example", "X-Original-Method: GET", "X-Original-Uri: /a"}
	plain := upgrade[:2]
	offer := func(lists ...string) (lines []string) {
		for _, list := range lists {
			lines = append(lines, "Sec-WebSocket-Protocol: "+list)
		}
		return lines
	}
	for _, tt := range []struct {
		name   string
		reader *inbound.Reader
		start  []string
		lines  []string
		token  string
		rest   string // for the backend
		want   error
	}{
		{"alone", reader, upgrade, offer("bearer, " + jwt), jwt, "", nil},
		{"first", reader, upgrade, offer("bearer, " + jwt + ", chat, superchat"), jwt, "chat, superchat", nil},
		{"last", reader, upgrade, offer("chat,bearer," + jwt), jwt, "chat", nil},
		{"in lines", reader, upgrade, offer("chat", "bearer", jwt+", superchat"), jwt, "chat, superchat", nil},
		{"empty elements", reader, upgrade, offer(", bearer ,, " + jwt + " , chat,"), jwt, "chat", nil},
		{"asked by a proxy, which took Upgrade away", auth, ask, offer("bearer, " + jwt), jwt, "", nil},

		{"the word alone", reader, upgrade, offer("bearer"), "", "bearer", inbound.ErrBadToken},
		{"the word at the end", reader, upgrade, offer("chat, bearer,"), "", "chat, bearer,", inbound.ErrBadToken},
		{"the word twice", reader, upgrade, offer("bearer, " + jwt + ", bearer, x.y.z"), "", "bearer, " + jwt + ", bearer, x.y.z", inbound.ErrMalformed},
		{"no token's bytes", reader, upgrade, offer("bearer, a$b"), "", "", inbound.ErrBadToken},
		{"another word", reader, upgrade, offer("Bearer, " + jwt), "", "Bearer, " + jwt, inbound.ErrNoToken},
		{"none", reader, upgrade, nil, "", "", inbound.ErrNoToken},
		{"no upgrade", reader, plain, offer("bearer, " + jwt), "", "bearer, " + jwt, inbound.ErrNoToken},
		{"another upgrade", reader, plain, append(offer("bearer, "+jwt), "Connection: upgrade", "Upgrade: h2c"), "", "bearer, " + jwt, inbound.ErrNoToken},
		{"off", inbound.NewReader(inbound.Options{}), upgrade, offer("bearer, " + jwt), "", "bearer, " + jwt, inbound.ErrNoToken},
		{"a token in the field", reader, upgrade, append(offer("chat"), "Authorization: Bearer "+jwt), jwt, "chat", nil},
		{"a token in both", reader, upgrade, append(offer("bearer, "+jwt), "Authorization: Bearer "+jwt), "", "", inbound.ErrMalformed},
		{"something else in the field", reader, upgrade, append(offer("bearer, "+jwt), "Authorization: Basic eDp5"), "", "", inbound.ErrMalformed},
		{"an empty field", reader, upgrade, append(offer("bearer, "+jwt), "Authorization:"), "", "", inbound.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, append(append([]string{}, tt.start...), tt.lines...)...)
			got, err := tt.reader.Read(r)
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err != nil {
				if strings.Contains(err.Error(), jwt) {
					t.Errorf("the error repeats the token: %v", err)
				}
				return
			}
			fromList := !strings.Contains(strings.Join(tt.lines, ""), "Authorization")
			if got.Bearer != tt.token || (got.Subprotocol == "bearer") != fromList {
				t.Errorf("%q, to be answered with %q", got.Bearer, got.Subprotocol)
			}
			if left := strings.Join(r.Header["Sec-Websocket-Protocol"], "; "); left != tt.rest {
				t.Errorf("the backend would see %q, want %q", left, tt.rest)
			}
			for name, values := range r.Header {
				if name != "Authorization" && strings.Contains(strings.Join(values, ","), jwt) {
					t.Errorf("%s holds the token", name)
				}
			}
		})
	}
}

// What is refused stays so: the credential is looked at last.
func TestSubprotocolDoesNotHideAFault(t *testing.T) {
	r := parse(t, "GET //a HTTP/1.1", "Host: gateway.example", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: bearer, x.y.z")
	if _, err := inbound.NewReader(inbound.Options{WebSocketProtocol: "bearer"}).Read(r); !errors.Is(err, inbound.ErrMalformed) {
		t.Error(err)
	}
	large := "bearer, " + strings.Repeat("a", 40_000)
	r = parse(t, "GET /a HTTP/1.1", "Host: gateway.example", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: "+large)
	if _, err := inbound.NewReader(inbound.Options{WebSocketProtocol: "bearer"}).Read(r); !errors.Is(err, inbound.ErrHeadersTooLarge) {
		t.Error(err)
	}
}
