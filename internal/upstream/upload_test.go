package upstream

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestUploads(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		f := newFront(t, path, echoing(t))
		for _, size := range []int{1, inlineBody, inlineBody + 1, pieceSize, 3 << 20} {
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(strings.Repeat("x", size))
				if chunked {
					body = io.MultiReader(body)
				}
				tr := &http.Transport{}
				res, err := (&http.Client{Transport: tr}).Post(f.URL, "text/plain", body)
				if err != nil {
					t.Fatal(err)
				}
				back, err := io.ReadAll(res.Body)
				res.Body.Close()
				tr.CloseIdleConnections()
				want := strconv.Itoa(size)
				if chunked {
					want = "-1"
				}
				if len(back) != size || err != nil || res.Header.Get("X-Length") != want {
					t.Errorf("%d of %d bytes, chunked %v, %v, %v", len(back), size, chunked, res.Header, err)
				}
				expect(t, "error", f.outcome(t).err, nil)
			}
		}
	})
}

// What one exchange was given of time is not taken from the next.
func TestUploadLeavesNoDeadlineBehind(t *testing.T) {
	s := newScript(t, func(p *peer) {
		p.request()
		_, _ = io.CopyN(io.Discard, p.in, inlineBody+1)
		p.say(whole)
		p.request()
		p.say(whole)
		p.untilClosed()
	})
	f := newFront(t, "lean"+behindHTTP1, s.addr, func(o *Options) { o.ResponseTimeout = 300 * time.Millisecond })
	f.dial(t, request("POST", "Content-Length: "+strconv.Itoa(inlineBody+1))+strings.Repeat("x", inlineBody+1))
	expect(t, "error", f.outcome(t).err, nil)
	late := time.NewTimer(400 * time.Millisecond)
	defer late.Stop()
	<-late.C
	f.dial(t, get())
	expect(t, "error", f.outcome(t).err, nil)
	expect(t, "connections", s.connections(), 1)
}

func TestUploadLeavesTheConnectionUsable(t *testing.T) {
	s := newScript(t, func(p *peer) {
		for {
			head := p.request()
			if head == "" {
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), p.in)))
			if err != nil {
				t.Error(err)
				return
			}
			if n, _ := io.Copy(io.Discard, r.Body); n != inlineBody+1 {
				t.Errorf("%d bytes", n)
			}
			p.say(whole)
		}
	})
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	client := f.dial(t, "")
	for range 3 {
		client.send(t, request("POST", "Content-Length: "+strconv.Itoa(inlineBody+1))+strings.Repeat("x", inlineBody+1))
		res, body, err := client.answer(t, "POST")
		if err != nil || body != "whole" || res.Close {
			t.Fatalf("%q, %v, %v", body, res, err)
		}
		expect(t, "error", f.outcome(t).err, nil)
	}
	expect(t, "connections", s.connections(), 1)
}

// A backend that has made up its mind need not have read everything.
func TestAnswerBeforeTheBodyHasCome(t *testing.T) {
	for _, framing := range []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			s := newScript(t, func(p *peer) {
				p.request()
				p.say("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nwhole")
				p.untilClosed()
			})
			f := newFront(t, "lean"+behindHTTP1, s.addr)
			client := f.dial(t, request("POST", framing)+"1\r\nx\r\n") // and no more of it
			res, body, err := client.answer(t, "POST")
			if err != nil || body != "whole" {
				t.Fatalf("%q, %v", body, err)
			}
			expect(t, "status", res.StatusCode, 413)
			expect(t, "close", res.Close, true)
			expect(t, "error", f.outcome(t).err, nil)
		})
	}
}

// Both directions may stream at the same time.
func TestConversation(t *testing.T) {
	f := newFront(t, "lean"+behindHTTP1, echoing(t))
	client := f.dial(t, request("POST", "Transfer-Encoding: chunked"))
	client.send(t, "4\r\nping\r\n")
	res, err := http.ReadResponse(client.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	piece := make([]byte, 4)
	for range 3 {
		if _, err := io.ReadFull(res.Body, piece); err != nil || string(piece) != "ping" {
			t.Fatalf("%q, %v", piece, err)
		}
		client.send(t, "4\r\nping\r\n")
	}
	client.send(t, "0\r\n\r\n")
	rest, err := io.ReadAll(res.Body)
	if string(rest) != "ping" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestClientsFaultsInABody(t *testing.T) {
	limit := func(o *Options) { o.MaxBody = 10 }
	hurry := func(o *Options) { o.BodyTimeout = 50 * time.Millisecond }
	for name, tt := range map[string]struct {
		raw    string
		change func(*Options)
		want   error
	}{
		"a chunk that is none":   {request("POST", "Transfer-Encoding: chunked") + "4\r\nbody\r\nxyz\r\n", limit, ErrBody},
		"a chunk in 0x":          {request("POST", "Transfer-Encoding: chunked") + "0x4\r\nbody\r\n0\r\n\r\n", limit, ErrBody},
		"a chunk of 17 digits":   {request("POST", "Transfer-Encoding: chunked") + "00000000000000004\r\nbody\r\n0\r\n\r\n", limit, ErrBody},
		"more than allowed":      {request("POST", "Transfer-Encoding: chunked") + "b\r\nhello world\r\n0\r\n\r\n", limit, ErrBodyTooLarge},
		"a stall":                {request("POST", "Content-Length: 100000") + "half of it", hurry, ErrBodyTimeout},
		"a stall in a short one": {request("POST", "Content-Length: 100") + "half of it", hurry, ErrBodyTimeout},
		"a stall between chunks": {request("POST", "Transfer-Encoding: chunked") + "4\r\nbody\r\n", hurry, ErrBodyTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				s := newScript(t, func(p *peer) {
					p.request()
					p.untilClosed()
				})
				f := newFront(t, path, s.addr, tt.change)
				client := f.dial(t, tt.raw)
				if got := f.outcome(t).err; !errors.Is(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
				res, _, err := client.answer(t, "POST")
				if err != nil {
					t.Fatal(err)
				}
				expect(t, "status", res.StatusCode, 502) // of the fixture
			})
		})
	}
}

// It is the client's stall, too, when the answer has begun.
func TestClientStallsBehindTheAnswersBeginning(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		s := newScript(t, func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
			p.untilClosed()
		})
		f := newFront(t, path, s.addr, func(o *Options) { o.BodyTimeout = 200 * time.Millisecond })
		f.dial(t, request("POST", "Transfer-Encoding: chunked"))
		if got := f.outcome(t).err; !errors.Is(got, ErrBodyTimeout) {
			t.Errorf("%v, want %v", got, ErrBodyTimeout)
		}
	})
}

// An upload lives as long as it moves, however long that is.
func TestSlowUploadLives(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		s := newScript(t, func(p *peer) {
			p.request()
			_, _ = io.CopyN(io.Discard, p.in, inlineBody+1)
			p.say(whole)
			p.untilClosed()
		})
		f := newFront(t, path, s.addr, func(o *Options) {
			o.ResponseTimeout, o.BodyTimeout = 200*time.Millisecond, 10*time.Second
		})
		client := f.dial(t, request("POST", "Content-Length: "+strconv.Itoa(inlineBody+1)))
		client.send(t, "x")
		late := time.NewTimer(500 * time.Millisecond) // more than the backend may take for its answer
		defer late.Stop()
		<-late.C
		client.send(t, strings.Repeat("x", inlineBody))
		if _, body, err := client.answer(t, "POST"); body != "whole" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
		expect(t, "error", f.outcome(t).err, nil)
	})
}

func TestContinueIsAskedOfTheBackend(t *testing.T) {
	for name, tt := range map[string]struct {
		says   string
		status int
	}{
		"go on": {"HTTP/1.1 100 Continue\r\n\r\n", 200},
		"no":    {"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 417},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, func(p *peer) {
				p.request()
				p.say(tt.says)
				if tt.status == 200 {
					_, _ = io.CopyN(io.Discard, p.in, 4)
					p.say(whole)
				}
				p.untilClosed()
			})
			f := newFront(t, "lean"+behindHTTP1, s.addr)
			client := f.dial(t, request("POST", "Content-Length: 4", "Expect: 100-continue"))
			res, _, err := client.answer(t, "POST")
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode == 100 {
				client.send(t, "body")
			}
			for res.StatusCode == 100 { // net/http may say it again when the body is read
				if res, _, err = client.answer(t, "POST"); err != nil {
					t.Fatal(err)
				}
			}
			expect(t, "status", res.StatusCode, tt.status)
		})
	}
}
