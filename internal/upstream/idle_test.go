package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestKeepAliveField(t *testing.T) {
	for field, want := range map[string]time.Duration{
		"timeout=5":            4 * time.Second,
		"timeout=5, max=100":   4 * time.Second,
		"max=100,\tTimeout=60": 59 * time.Second,
		`timeout="5"`:          4 * time.Second,
		"timeout=2":            time.Second,
		"timeout=1":            500 * time.Millisecond,
		"timeout=0":            0,
		"timeout=2147483647":   24*time.Hour - time.Second,
		"timeout=99999999999":  unknown,
		"timeout=-1":           unknown,
		"timeout=":             unknown,
		"timeout":              unknown,
		"5":                    unknown,
		"":                     unknown,
	} {
		if got := keepAlive(field); got != want {
			t.Errorf("%q: %v, want %v", field, got, want)
		}
	}
}

// A connection is used again only as long as the backend is sure to keep it.
func TestIdleConnections(t *testing.T) {
	for name, tt := range map[string]struct {
		keep  time.Duration // the option
		says  string        // the backend, in Keep-Alive
		waits time.Duration // between two requests
		again bool
	}{
		"soon":                            {4 * time.Second, "", 3900 * time.Millisecond, true},
		"later":                           {4 * time.Second, "", 4100 * time.Millisecond, false},
		"kept for longer":                 {30 * time.Second, "", 20 * time.Second, true},
		"not kept":                        {0, "", 0, false},
		"the backend says less, soon":     {30 * time.Second, "timeout=5", 3900 * time.Millisecond, true},
		"the backend says less, later":    {30 * time.Second, "timeout=5, max=9", 4100 * time.Millisecond, false},
		"the backend says more":           {4 * time.Second, "timeout=60", 4100 * time.Millisecond, false},
		"the backend says not at all":     {4 * time.Second, "timeout=0", 0, false},
		"the backend says what is no use": {4 * time.Second, "timeout=x", 3900 * time.Millisecond, true},
	} {
		for _, wayName := range []string{"http1 lean", "http1 proxy", "http1 to https"} {
			t.Run(name+", "+wayName, func(t *testing.T) {
				seen := map[any]int{} // requests by the backend's view of its connections
				var last any
				err := ways[wayName].inBubble(t, func(o *Options) { o.IdleConnection = tt.keep }, func(w http.ResponseWriter, r *http.Request) {
					conn := r.Context().Value(connKey{})
					seen[conn]++
					last = conn
					if tt.says != "" {
						w.Header().Set("Keep-Alive", tt.says)
					}
				}, func(t *testing.T, c *http.Client) {
					for range 3 {
						res, err := c.Post("http://front/", "", nil)
						if err != nil {
							t.Fatal(err)
						}
						if res.Header["Keep-Alive"] != nil {
							t.Error("the backend's Keep-Alive is passed on")
						}
						res.Body.Close()
						time.Sleep(tt.waits)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				// What the first answer says may cost the proxy the connection that it came on.
				if again := seen[last] > 1; again != tt.again {
					t.Errorf("%v, want the connection used again: %t", seen, tt.again)
				}
			})
		}
	}
}

// A backend that cannot be connected to in time is not reached, whatever does not answer.
func TestConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // whose backlog connects, and nobody shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hurry := func(o *Options) { o.ConnectTimeout = 50 * time.Millisecond }
	t.Run("TLS", func(t *testing.T) {
		f := newFront(t, "proxy", l.Addr().String(), hurry, func(o *Options) { o.Target.Scheme = "https" })
		f.dial(t, get())
		if got := f.outcome(t).err; !errors.Is(got, ErrUnreachable) || errors.Is(got, ErrTimeout) {
			t.Errorf("%v, want %v", got, ErrUnreachable)
		}
	})
	late := &net.OpError{Op: "dial", Net: "tcp", Err: timeoutError{}}
	for name, e := range map[string]error{
		"dial":         late,
		"name":         &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{IsTimeout: true}},
		"within a url": fmt.Errorf("while testing: %w", late),
		"certificate":  &tls.CertificateVerificationError{Err: errors.New("unknown")},
	} {
		if got := classify(t.Context(), e, nil); !errors.Is(got, ErrUnreachable) || errors.Is(got, ErrTimeout) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// What a backend did is said in words.
func TestClosedWithoutAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		says     string
		want     error
		text     string
		leanOnly bool // net/http's client has words of its own
	}{
		"nothing":             {"", ErrClosed, "without a response", false},
		"an interim answer":   {"HTTP/1.1 102 Processing\r\n\r\n", ErrClosed, "without a response", true},
		"a part of a header":  {"HTTP/1.1 200 OK\r\nContent-Le", ErrInvalid, "in the middle of its header", true},
		"the header's end":    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ErrInvalid, "in the middle of its header", true},
		"half of its answer":  {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwh", ErrCut, "closed the connection", false},
		"none of its answer":  {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ErrCut, "closed the connection", false},
		"a chunk without end": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwh", ErrCut, "closed the connection", false},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				if tt.leanOnly && !strings.HasPrefix(path, "lean") {
					return
				}
				f := newFront(t, path, saying(t, tt.says, true).addr)
				f.dial(t, request("POST", "Content-Length: 4")+"body")
				got := f.outcome(t).err
				if !errors.Is(got, tt.want) || !strings.Contains(got.Error(), tt.text) || strings.Contains(got.Error(), "EOF") {
					t.Errorf("%v, want %v", got, tt.text)
				}
			})
		})
	}
}
