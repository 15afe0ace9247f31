package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTheClientLeaves(t *testing.T) {
	whole := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	for name, tt := range map[string]struct {
		request string
		read    bool
	}{
		"without a body":         {get, false},
		"after its body":         {whole, true},
		"after a long body":      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n" + strings.Repeat("x", 10000), true},
		"after the next":         {get + get, false},
		"in the middle of it":    {whole[:len(whole)-1], true},
		"after half of the next": {get + "GE", false},
	} {
		t.Run(name, func(t *testing.T) {
			begun, ended := make(chan bool, 2), make(chan error, 2)
			_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				done := r.Context().Done()
				begun <- true
				if tt.read {
					_, _ = io.ReadAll(r.Body)
				}
				<-done
				ended <- r.Context().Err()
			}, nil)
			c := dial(t, addr, tt.request)
			<-begun
			c.Close()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			case <-time.After(late):
				t.Error("its request goes on")
			}
		})
	}
}

// Watching ends with the request, and so does the context, which is not the next one's.
func TestWatchingTheClient(t *testing.T) {
	ends := make(chan error)
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		t.Cleanup(cancel)
		context.AfterFunc(ctx, func() { ends <- ctx.Err() })
		b, _ := io.ReadAll(r.Body)
		eventually(t, func() bool { return watched(w) })
		if err := r.Context().Err(); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Length", "5")
		_, _ = w.Write(b)
	}, nil)
	c := dial(t, addr, "")
	for range 3 {
		c.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
		if res, body := c.answer("PUT"); body != "hello" || res.last {
			t.Fatal(res, body)
		}
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// What comes meanwhile stays.
func TestWhatComesWhileTheClientIsWatched(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.Context().Done()
		eventually(t, func() bool { return watched(w) })
		tell(w, r)
	}, nil)
	c := dial(t, addr, get)
	for i := range 3 * len(get) {
		c.send(get[i%len(get):][:1])
	}
	for range 4 {
		if _, body := c.answer("GET"); body != "true GET " {
			t.Fatal(body)
		}
	}
}

// A timer may end what was derived from a request's context when that is over. The
// connection must not be watched for it: two would read from it.
func TestAContextIsAskedTooLate(t *testing.T) {
	contexts := make(chan context.Context, 1)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { contexts <- r.Context() }, nil)
	c := dial(t, addr, "")
	for range 2 {
		c.send(get)
		c.answer("GET")
		ctx := <-contexts
		select {
		case <-ctx.Done():
		default:
			t.Error("it has not ended")
		}
		if err := ctx.Err(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		derived, cancel := context.WithCancel(ctx)
		if derived.Err() == nil {
			t.Error("what is derived from it has not ended")
		}
		cancel()
	}
}

// A body has its own time, although the watch of the request before it was ended by
// a deadline.
func TestNoDeadlineIsLeftForABody(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			_ = r.Context().Done()
			eventually(t, func() bool { return watched(w) })
		}
		tell(w, r)
	}, nil)
	c := dial(t, addr, get+"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
	c.answer("GET")
	c.send("llo")
	if _, body := c.answer("POST"); body != "true POST hello" {
		t.Error(body)
	}
}

// The watch waits for the end of a body, of which it would take some, and then begins.
func TestTheClientIsWatchedBehindALateBody(t *testing.T) {
	asked, got := make(chan bool, 1), make(chan string, 2)
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		done, x := r.Context().Done(), &w.(*response).conn.r.ctx
		eventually(t, func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			return x.due
		})
		asked <- true
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
		<-done
		got <- "left"
	}, nil)
	c := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
	<-asked
	c.send("hel")
	c.send("lo")
	for _, want := range []string{"hello", "left"} {
		select {
		case said := <-got:
			if said != want {
				t.Errorf("it got %q, want %q", said, want)
			}
		case <-time.After(late):
			t.Fatalf("it waits for %q", want)
		}
		c.Close()
	}
}

// watched tells whether it is looked out for the client's leaving.
func watched(w http.ResponseWriter) bool {
	x := &w.(*response).conn.r.ctx
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.watching != nil
}

func eventually(t *testing.T, ok func() bool) {
	for end := time.Now().Add(late); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Error("it does not come about")
			return
		}
	}
}
