package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// webSockets is a backend that sends messages back. closed gets the status with
// which each WebSocket was closed.
func webSockets(t *testing.T) (addr string, closed chan websocket.StatusCode) {
	closed = make(chan websocket.StatusCode, 8)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			kind, message, err := c.Read(context.Background())
			if err != nil {
				closed <- websocket.CloseStatus(err)
				return
			}
			if c.Write(context.Background(), kind, message) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), closed
}

func TestWebSocket(t *testing.T) {
	addr, closed := webSockets(t)
	f := newFront(t, "lean", addr)
	c, res, err := websocket.Dial(t.Context(), f.URL, nil) //nolint:bodyclose // Dial has closed it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	expect(t, "X-Own", res.Header["X-Own"], "[ours]")
	for _, message := range []string{"short", strings.Repeat("x", 200), strings.Repeat("y", 30_000)} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, back, err := c.Read(t.Context()); err != nil || string(back) != message {
			t.Fatalf("%d bytes came back, %v", len(back), err)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	expect(t, "the backend's side", <-closed, websocket.StatusNormalClosure)
	f.outcome(t)
}

func TestDrainClosesWebSockets(t *testing.T) {
	addr, closed := webSockets(t)
	f := newFront(t, "lean", addr)
	c, _, err := websocket.Dial(t.Context(), f.URL, nil) //nolint:bodyclose // Dial has closed it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Drain()
	_, _, err = c.Read(t.Context())
	expect(t, "the client's side", websocket.CloseStatus(err), websocket.StatusGoingAway)
	expect(t, "the backend's side", <-closed, websocket.StatusGoingAway)
	f.outcome(t)
}

func TestOnlyWebSocketsAreUpgraded(t *testing.T) {
	s := saying(t, "HTTP/1.1 101 Switching\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n", true)
	f := newFront(t, "lean", s.addr)
	f.dial(t, get("Upgrade: websocket", "Connection: upgrade"))
	if got := f.outcome(t).err; !errors.Is(got, ErrInvalid) {
		t.Errorf("%v, want %v", got, ErrInvalid)
	}
}

func TestFramesAreFollowed(t *testing.T) {
	frame := func(head ...byte) []byte { return head }
	stream := [][]byte{
		frame(0x81, 0),
		append(frame(0x81, 3), "abc"...),
		append(frame(0x81, 0x83, 1, 2, 3, 4), "abc"...),
		append(frame(0x82, 126, 0, 200), make([]byte, 200)...),
		append(frame(0x82, 0x80|126, 1, 0, 9, 9, 9, 9), make([]byte, 256)...),
		append(frame(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0), make([]byte, 1<<16)...),
	}
	for _, step := range []int{1, 2, 7, 1 << 17} {
		var f frames
		for i, bytes := range stream {
			if !f.between() {
				t.Fatalf("in steps of %d: in the middle before frame %d", step, i)
			}
			for len(bytes) > 0 {
				n := min(step, len(bytes))
				f.follow(bytes[:n])
				if bytes = bytes[n:]; len(bytes) > 0 && f.between() {
					t.Fatalf("in steps of %d: at an end within frame %d", step, i)
				}
			}
		}
		if !f.between() {
			t.Errorf("in steps of %d: in the middle after the last frame", step)
		}
	}
}
