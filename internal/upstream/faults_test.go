package upstream

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

const whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"

func TestBackendFaults(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   string // then it closes; "" says nothing and waits
		want     error
		leanOnly bool // net/http repairs it, or passes it on
	}{
		{name: "says nothing", want: ErrTimeout},
		{name: "closes at once", answer: "\x00closed", want: ErrInvalid},
		{name: "dies in mid-status", answer: "HTTP/1.1 2", want: ErrInvalid},
		{name: "dies in mid-header", answer: "HTTP/1.1 200 OK\r\nContent-Le", want: ErrInvalid},
		{name: "dies before the header's end", answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", want: ErrInvalid},
		{name: "sends nonsense", answer: "Hello!\r\n\r\n", want: ErrInvalid},
		{name: "speaks HTTP/2", answer: "HTTP/2.0 200 OK\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "has a status of two digits", answer: "HTTP/1.1 20 OK\r\n\r\n", want: ErrInvalid},
		{name: "has a status of four digits", answer: "HTTP/1.1 2000 OK\r\n\r\n", want: ErrInvalid},
		{name: "has a status below 100", answer: "HTTP/1.1 099 OK\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "sends 2 MiB of headers", answer: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", want: ErrInvalid},
		{name: "sends 2 MiB of lines", answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: x\r\n", 1<<18) + "\r\n", want: ErrInvalid},
		{name: "sends differing lengths", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nwhole", want: ErrInvalid},
		{name: "sends a length below 0", answer: "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nwhole", want: ErrInvalid},
		{name: "sends a length with a sign", answer: "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nwhole", want: ErrInvalid},
		{name: "sends a length too large", answer: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nwhole", want: ErrInvalid},
		{name: "sends no length as its length", answer: "HTTP/1.1 200 OK\r\nContent-Length: \r\nContent-Length: 5\r\n\r\nwhole", want: ErrInvalid, leanOnly: true},
		{name: "sends a list of lengths", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nwhole", want: ErrInvalid},
		{name: "sends length and chunks", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "sends chunks in HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "encodes the transfer", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", want: ErrInvalid},
		{name: "encodes it twice", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", want: ErrInvalid},
		{name: "folds a line", answer: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "has a blank before the colon", answer: "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nwhole", want: ErrInvalid, leanOnly: true},
		{name: "has a field without a colon", answer: "HTTP/1.1 200 OK\r\nNonsense\r\n\r\n", want: ErrInvalid},
		{name: "has a field without a name", answer: "HTTP/1.1 200 OK\r\n: x\r\n\r\n", want: ErrInvalid},
		{name: "has NUL in a value", answer: "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "has CR in a value", answer: "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", want: ErrInvalid, leanOnly: true},
		{name: "ends lines in LF", answer: "HTTP/1.1 200 OK\nContent-Length: 5\n\nwhole", want: ErrInvalid, leanOnly: true},
		{name: "switches unasked", answer: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", want: ErrInvalid},
		{name: "hints without end", answer: strings.Repeat("HTTP/1.1 103 Hints\r\n\r\n", 1<<12), want: ErrInvalid, leanOnly: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				if tt.leanOnly && !strings.HasPrefix(path, "lean") {
					return
				}
				s := newScript(t, func(p *peer) {
					p.request()
					if tt.answer == "" {
						p.untilClosed()
						return
					}
					p.say(strings.TrimPrefix(tt.answer, "\x00closed"))
				})
				f := newFront(t, path, s.addr, func(o *Options) {
					if errors.Is(tt.want, ErrTimeout) {
						short(o)
					}
				})
				client := f.dial(t, get())
				if got := f.outcome(t).err; !errors.Is(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
				for {
					res, _, err := client.answer(t, "GET")
					if err != nil {
						t.Fatal(err)
					}
					if res.StatusCode == 103 {
						continue
					}
					expect(t, "status", res.StatusCode, 502)
					expect(t, "X-Own", res.Header["X-Own"], "[ours]")
					break
				}
				expect(t, "requests seen", len(s.requests()), 1)
			})
		})
	}
}

func TestBackendCannotBeReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	overAll(t, func(t *testing.T, path string) {
		for _, addr := range []string{l.Addr().String(), "no-such-host.invalid:80"} {
			f := newFront(t, path, addr)
			f.dial(t, get())
			if got := f.outcome(t).err; !errors.Is(got, ErrUnreachable) {
				t.Errorf("%s: %v", addr, got)
			}
		}
	})
}

func TestCutAnswerHasNoCleanEnd(t *testing.T) {
	for name, answer := range map[string]string{
		"in mid-body":                 "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
		"before the body":             "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
		"in mid-chunk":                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
		"between chunks":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
		"in the trailers":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n0\r\nX: y\r\n",
		"by a chunk without a size":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n\r\n\r\n",
		"by a size in 0x":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n0x1\r\na\r\n",
		"by a size of 17 digits":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n" + strings.Repeat("1", 17) + "\r\na\r\n",
		"by a chunk longer than told": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n1\r\nab\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				f := newFront(t, path, saying(t, answer, true).addr)
				_, body, err := f.dial(t, get()).answer(t, "GET")
				if err == nil {
					t.Errorf("the client takes %q for the whole", body)
				}
				if got := f.outcome(t).err; !errors.Is(got, ErrCut) {
					t.Errorf("%v, want %v", got, ErrCut)
				}
			})
		})
	}
}

func TestBackendStallsInMidBody(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		s := newScript(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
			p.untilClosed()
		})
		f := newFront(t, path, s.addr, short)
		if _, _, err := f.dial(t, get()).answer(t, "GET"); err == nil {
			t.Error("a clean end")
		}
		if got := f.outcome(t).err; !errors.Is(got, ErrCut) {
			t.Errorf("%v, want %v", got, ErrCut)
		}
	})
}

func TestBackendDoesNotTakeTheBody(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		done := make(chan struct{})
		s := newScript(t, func(p *peer) {
			p.request()
			<-done
		})
		defer close(done)
		f := newFront(t, path, s.addr, short)
		const size = 64 << 20 // more than the sockets' buffers hold
		client := f.dial(t, request("POST", "Content-Length: "+strconv.Itoa(size)))
		go func() { _, _ = io.CopyN(client, zeros{}, size) }()
		if got := f.outcome(t).err; !errors.Is(got, ErrTimeout) {
			t.Errorf("%v, want %v", got, ErrTimeout)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A backend that closes an idle connection does so while a request may be under way to it.
func TestStaleConnections(t *testing.T) {
	for _, tt := range []struct {
		method string
		fields []string
		body   string
		again  bool
	}{
		{method: "GET", again: true},
		{method: "HEAD", again: true},
		{method: "DELETE", again: true},
		{method: "PUT", fields: []string{"Content-Length: 4"}, body: "body"},
		{method: "PUT", fields: []string{"Transfer-Encoding: chunked"}, body: "4\r\nbody\r\n0\r\n\r\n"},
		{method: "POST", fields: []string{"Content-Length: 4"}, body: "body"},
		{method: "POST", fields: []string{"Content-Length: 0"}},
		{method: "PATCH"},
	} {
		t.Run(tt.method+" "+tt.body, func(t *testing.T) {
			f, s := staleFront(t)
			expect(t, "first", f.outcome(t).err, nil)
			f.dial(t, request(tt.method, tt.fields...)+tt.body)
			got, seen := f.outcome(t), s.requests()
			if tt.again {
				expect(t, "error", got.err, nil)
				expect(t, "requests seen", len(seen), 3)
			} else {
				if !errors.Is(got.err, ErrInvalid) {
					t.Errorf("%v, want %v", got.err, ErrInvalid)
				}
				expect(t, "requests seen", len(seen), 2)
			}
		})
	}
}

// staleFront has one idle connection, on which the backend closes when it gets
// the next request.
func staleFront(t *testing.T) (*front, *script) {
	s := newScript(t, func(p *peer) {
		answers := 9
		if p.nth == 1 {
			answers = 1
		}
		for range answers {
			if p.request() == "" {
				return
			}
			p.say(whole)
		}
		p.request()
	})
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	f.dial(t, get())
	return f, s
}

func TestFreshConnectionIsNotTriedAgain(t *testing.T) {
	s := newScript(t, func(p *peer) { p.request() })
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	f.dial(t, get())
	if got := f.outcome(t).err; !errors.Is(got, ErrInvalid) {
		t.Errorf("%v, want %v", got, ErrInvalid)
	}
	expect(t, "requests seen", len(s.requests()), 1)
}

func TestConnectionClosedLongAgoIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 1)
	s := newScript(t, func(p *peer) {
		p.request()
		p.say(whole)
		if p.nth == 1 {
			p.Close()
			closed <- struct{}{}
			return
		}
		p.untilClosed()
	})
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	f.dial(t, get())
	f.outcome(t)
	<-closed
	f.dial(t, request("POST", "Content-Length: 0"))
	expect(t, "error", f.outcome(t).err, nil)
	expect(t, "requests seen", s.requests(), "[GET /a%20b/c?x=1&y=%zz HTTP/1.1 POST /a%20b/c?x=1&y=%zz HTTP/1.1]")
}

// What a backend says on its own must not become the next client's answer.
func TestUnaskedAnswerGoesToNobody(t *testing.T) {
	said := make(chan struct{})
	s := newScript(t, func(p *peer) {
		if p.nth > 1 {
			p.request()
			p.say(whole)
			p.untilClosed()
			return
		}
		p.request()
		p.say(whole)
		<-said
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsomebody's")
		said <- struct{}{}
		p.untilClosed()
	})
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	f.dial(t, get())
	f.outcome(t)
	said <- struct{}{}
	<-said
	_, body, err := f.dial(t, get()).answer(t, "GET")
	if body != "whole" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

func TestSurplusAnswerEndsTheConnection(t *testing.T) {
	s := saying(t, whole+"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsomebody's", false)
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	for range 3 {
		if _, body, err := f.dial(t, get()).answer(t, "GET"); body != "whole" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
	}
	expect(t, "connections", s.connections(), 3)
}

func TestConnectionsAreReused(t *testing.T) {
	s := saying(t, whole, false)
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	client := f.dial(t, "")
	for range 5 {
		client.send(t, get())
		if _, body, err := client.answer(t, "GET"); body != "whole" || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
		f.outcome(t)
	}
	expect(t, "connections", s.connections(), 1)
}
