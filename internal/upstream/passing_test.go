package upstream

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatTheBackendGets(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		heads := make(chan string, 1)
		s := newScript(t, func(p *peer) {
			heads <- p.request()
			p.say(whole)
		})
		f := newFront(t, path, s.addr)
		f.dial(t, get(
			"Authorization: Bearer x",
			"User-Agent: me",
			"Accept: a", "Accept: b",
			"Te: trailers",
			"Keep-Alive: 5",
			"Proxy-Authorization: Basic x",
			"X-Forwarded-For: 6.6.6.6",
			"X-Dropped: yes",
			"Connection: X-Dropped, X-Request-Id, X-Forwarded-For, Authorization",
		))
		first, rest, _ := strings.Cut(<-heads, "\r\n")
		expect(t, "request line", first, "GET /a%20b/c?x=1&y=%zz HTTP/1.1")
		lines := strings.Split(strings.TrimSpace(rest), "\r\n")
		slices.Sort(lines)
		want := []string{
			"Accept: a", "Accept: b", "Authorization: Bearer x", "Host: " + s.addr, "Te: trailers", "User-Agent: me",
			"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: client.example", "X-Forwarded-Proto: https", "X-Request-Id: the-id",
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Error(diff)
		}
		expect(t, "error", f.outcome(t).err, nil)
	})
}

func TestOptions(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		heads := make(chan string, 1)
		s := newScript(t, func(p *peer) {
			heads <- p.request()
			p.say(whole)
		})
		f := newFront(t, path, s.addr, func(o *Options) { o.PreserveHost, o.StripAuthorization = true, true })
		f.dial(t, get("Authorization: Bearer x"))
		head := <-heads
		if !strings.Contains(head, "\r\nHost: front\r\n") || strings.Contains(head, "Bearer") {
			t.Error(head)
		}
	})
}

func TestFramingOfRequests(t *testing.T) {
	for _, tt := range []struct{ method, field, body, want string }{
		{"GET", "X: y", "", ""},
		{"POST", "Content-Length: 0", "", "Content-Length: 0"},
		{"POST", "X: y", "", "Content-Length: 0"},
		{"POST", "Content-Length: 4", "body", "Content-Length: 4"},
		{"GET", "Content-Length: 4", "body", "Content-Length: 4"},
		{"PUT", "Transfer-Encoding: chunked", "4\r\nbody\r\n0\r\n\r\n", "Transfer-Encoding: chunked"},
	} {
		overAll(t, func(t *testing.T, path string) {
			type got struct{ framing, body string }
			seen := make(chan got, 1)
			s := newScript(t, func(p *peer) {
				head := p.request()
				var framing []string
				for line := range strings.Lines(head) {
					if line = strings.TrimSpace(line); strings.HasPrefix(line, "Content-Length") || strings.HasPrefix(line, "Transfer-Encoding") {
						framing = append(framing, line)
					}
				}
				r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), p.in)))
				if err != nil {
					t.Error(err)
					return
				}
				b, _ := io.ReadAll(r.Body)
				seen <- got{strings.Join(framing, "|"), string(b)}
				p.say(whole)
			})
			f := newFront(t, path, s.addr)
			f.dial(t, request(tt.method, tt.field)+tt.body)
			want := got{tt.want, ""}
			if tt.body != "" {
				want.body = "body"
			}
			expect(t, tt.method+" "+tt.field, <-seen, want)
			expect(t, "error", f.outcome(t).err, nil)
		})
	}
}

func TestWhatTheClientGets(t *testing.T) {
	for _, tt := range []struct {
		name, method, answer string
		status               int
		header               string // name: value, of what matters
		body                 string
	}{
		{"a length", "GET", whole, 200, "Content-Length: 5", "whole"},
		{"a length told twice alike", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nwhole", 200, "Content-Length: 5", "whole"},
		{"an empty body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "Content-Length: 0", ""},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nwho\r\n2\r\nle\r\n0\r\n\r\n", 200, "", "whole"},
		{"no reason", "GET", "HTTP/1.1 299 \r\nContent-Length: 5\r\n\r\nwhole", 299, "Content-Length: 5", "whole"},
		{"up to the end", "GET", "HTTP/1.1 200 OK\r\n\r\nwhole", 200, "", "whole"},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nwhole", 200, "", "whole"},
		{"HTTP/1.0 with a length", "GET", "HTTP/1.0 404 No\r\nContent-Length: 5\r\n\r\nwhole", 404, "Content-Length: 5", "whole"},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 200, "Content-Length: 5000", ""},
		{"HEAD without a length", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, "", ""},
		{"HEAD of chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", ""},
		{"204", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n", 304, `Etag: "x"`, ""},
		{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", ""},
		{"no type", "GET", whole, 200, "Content-Type: ", "whole"},
		{"a type", "GET", "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nContent-Length: 5\r\n\r\nwhole", 200, "Content-Type: a/b", "whole"},
		{"two cookies", "GET", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 5\r\n\r\nwhole", 200, "Set-Cookie: a|b", "whole"},
		{"what is ours", "GET", "HTTP/1.1 200 OK\r\nx-own: theirs\r\nX-Own: theirs\r\nContent-Length: 5\r\n\r\nwhole", 200, "X-Own: ours", "whole"},
		{"what is of this hop", "GET", "HTTP/1.1 200 OK\r\nKeep-Alive: 5\r\nX-Hop: 1\r\nConnection: X-Hop\r\nContent-Length: 5\r\n\r\nwhole", 200, "X-Hop: ", "whole"},
		{"a header of 60 KiB", "GET", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 60<<10) + "\r\nContent-Length: 5\r\n\r\nwhole", 200, "Content-Length: 5", "whole"},
		{"an interim answer", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + whole, 200, "Content-Length: 5", "whole"},
		{"a large body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1_000_000), 200, "", strings.Repeat("x", 1_000_000)},
		{"a large chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\n" + strings.Repeat("x", 1_000_000) + "\r\n0\r\n\r\n", 200, "", strings.Repeat("x", 1_000_000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				f := newFront(t, path, saying(t, tt.answer, true).addr)
				client := f.dial(t, request(tt.method))
				res, body, err := client.answer(t, tt.method)
				for err == nil && res.StatusCode < 200 {
					res, body, err = client.answer(t, tt.method)
				}
				if err != nil {
					t.Fatal(err)
				}
				expect(t, "error", f.outcome(t).err, nil)
				expect(t, "status", res.StatusCode, tt.status)
				if name, value, found := strings.Cut(tt.header, ": "); found {
					expect(t, name, strings.Join(res.Header[name], "|"), value)
				}
				if body != tt.body {
					t.Errorf("a body of %d bytes, want %d", len(body), len(tt.body))
				}
			})
		})
	}
}

func TestInterimAnswerTakesNothingAway(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		f := newFront(t, path, saying(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Own: theirs\r\n\r\n"+whole, true).addr)
		client := f.dial(t, get())
		hints, _, err := client.answer(t, "GET")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "status", hints.StatusCode, 103)
		expect(t, "Link", hints.Header["Link"], "[</a>]")
		expect(t, "X-Own of the hints", hints.Header["X-Own"], "[ours]")
		res, body, err := client.answer(t, "GET")
		if err != nil || body != "whole" {
			t.Fatalf("%q, %v", body, err)
		}
		expect(t, "X-Own", res.Header["X-Own"], "[ours]")
		expect(t, "Link of the answer", len(res.Header["Link"]), 0)
	})
}

func TestTrailers(t *testing.T) {
	for name, announced := range map[string]string{"announced": "Trailer: X-Sum\r\n", "not announced": ""} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				f := newFront(t, path, saying(t, "HTTP/1.1 200 OK\r\n"+announced+"Transfer-Encoding: chunked\r\n\r\n"+
					"5\r\nwhole\r\n0\r\nX-Sum: 5\r\n\r\n", false).addr)
				for range 2 { // the connection serves on
					res, body, err := f.dial(t, get("Te: trailers")).answer(t, "GET")
					if err != nil || body != "whole" {
						t.Fatalf("%q, %v", body, err)
					}
					expect(t, "trailer", res.Trailer["X-Sum"], "[5]")
				}
			})
		})
	}
}

// What has arrived is passed on while the backend has not finished.
func TestStreams(t *testing.T) {
	for name, tt := range map[string]struct {
		head, first, second string
		leanOnly            bool
	}{
		"events in chunks":               {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", "9\r\ndata: 1\n\n\r\n", "9\r\ndata: 2\n\n\r\n0\r\n\r\n", false},
		"a chunk whose end has not come": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "9\r\ndata: 1\n\n", "\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n", false},
		"part of a chunk":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "12\r\ndata: 1\n\n", "data: 2\n\n\r\n0\r\n\r\n", true},
		"up to the end":                  {"HTTP/1.1 200 OK\r\n\r\n", "data: 1\n\n", "data: 2\n\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				if tt.leanOnly && !strings.HasPrefix(path, "lean") { // net/http waits for all of it
					return
				}
				proceed := make(chan struct{})
				s := newScript(t, func(p *peer) {
					p.request()
					for _, raw := range []string{tt.head, tt.first, tt.second} {
						p.say(raw)
						<-proceed
					}
				})
				f := newFront(t, path, s.addr)
				res, err := http.ReadResponse(f.dial(t, get()).in, nil) // the header comes alone
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				proceed <- struct{}{}
				piece := make([]byte, len("data: 1\n\n"))
				if _, err := io.ReadFull(res.Body, piece); err != nil || string(piece) != "data: 1\n\n" {
					t.Fatalf("%q, %v", piece, err)
				}
				proceed <- struct{}{}
				close(proceed)
				rest, err := io.ReadAll(res.Body)
				if err != nil || string(rest) != "data: 2\n\n" {
					t.Errorf("%q, %v", rest, err)
				}
			})
		})
	}
}

func TestClientThatLeavesEndsTheRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		request, answer string
		want            error
	}{
		"before the answer":    {get(), "", ErrGone},
		"in mid-answer":        {get(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", ErrCut},
		"in mid-body":          {request("POST", "Content-Length: 100000"), "", ErrGone},
		"after a longer body":  {request("POST", "Content-Length: 9000") + strings.Repeat("x", 9000), "", ErrGone},
		"after a shorter body": {request("POST", "Content-Length: 4") + "body", "", ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				arrived, ended := make(chan struct{}), make(chan struct{})
				s := newScript(t, func(p *peer) {
					p.request()
					p.say(tt.answer)
					close(arrived)
					p.untilClosed()
					close(ended)
				})
				f := newFront(t, path, s.addr)
				client := f.dial(t, tt.request)
				<-arrived
				if tt.answer != "" {
					if _, err := client.in.ReadByte(); err != nil {
						t.Fatal(err)
					}
				}
				client.Close()
				<-ended
				if got := f.outcome(t).err; !errors.Is(got, tt.want) || !errors.Is(got, ErrGone) {
					t.Errorf("%v, want %v", got, tt.want)
				}
			})
		})
	}
}

// Without TLS it does not get past internal/http1.
func TestHTTP2Client(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		f := newFront(t, strings.TrimSuffix(path, behindHTTP1), echoing(t))
		client := &http.Client{Transport: unencryptedHTTP2(t)}
		for _, size := range []int{1, 5, inlineBody + 1, 1 << 20} {
			for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", size)), io.LimitReader(zeros{}, int64(size))} {
				res, err := client.Post(f.URL, "text/plain", body)
				if err != nil {
					t.Fatal(err)
				}
				back, err := io.ReadAll(res.Body)
				res.Body.Close()
				if len(back) != size || err != nil || res.ProtoMajor != 2 {
					t.Errorf("%d of %d bytes over %s, %v", len(back), size, res.Proto, err)
				}
				expect(t, "error", f.outcome(t).err, nil)
			}
		}
	})
}

func unencryptedHTTP2(t *testing.T) *http.Transport {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// echoing is a backend that sends back what it is sent.
func echoing(t *testing.T) (addr string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("X-Length", strconv.FormatInt(r.ContentLength, 10))
		if r.ContentLength >= 0 {
			w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
		}
		piece := make([]byte, 4<<10)
		for {
			n, err := r.Body.Read(piece)
			_, _ = w.Write(piece[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
