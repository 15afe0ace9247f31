package http1

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// tell answers with what the server was that called it, and the request's body.
func tell(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	said := fmt.Sprint(isPlain(w), " ", r.Method, " ", string(b))
	w.Header().Set("Content-Length", fmt.Sprint(len(said)))
	_, _ = io.WriteString(w, said)
}

func TestWhatIsNotPlainIsHandedOver(t *testing.T) {
	_, addr := serve(t, tell, nil)
	for _, raw := range otherRequests {
		for _, before := range []string{"", get} {
			c := dial(t, addr, before+raw)
			if before != "" {
				if _, body := c.answer("GET"); body != "true GET " {
					t.Errorf("before it: %s", body)
				}
			}
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			rest := c.rest()
			if !strings.HasPrefix(rest, "HTTP/1.") || !strings.Contains(rest, "false") {
				t.Errorf("%.100q\nis answered with\n%s", raw, rest)
			}
		}
	}
}

// A request that nobody may read is refused, and nothing behind it is read.
func TestWhatIsAmbiguousIsRefused(t *testing.T) {
	_, addr := serve(t, tell, func(s *http.Server) { s.MaxHeaderBytes = 2 * middleHead })
	for _, raw := range refusedRequests {
		for _, before := range []string{"", get} {
			c := dial(t, addr, before+raw+get)
			if before != "" {
				c.answer("GET")
			}
			if res, body := c.answer("GET"); res.status < 400 || !res.last || strings.Contains(body, "GET") {
				t.Errorf("%.100q\nis answered with %d\n%s", raw, res.status, body)
			}
			if rest := c.rest(); rest != "" {
				t.Errorf("%.100q\nis followed by\n%s", raw, rest)
			}
		}
	}
}

// A header need not be whole to be refused.
func TestWhatCannotBecomeARequestIsNotAwaited(t *testing.T) {
	_, addr := serve(t, tell, nil)
	for _, raw := range []string{"GET / HTTP/1.1\n", "GET /\r\n", "\r\n", "\x16\x03\x01\x02\x00\x01", "GET / HTTP/1.1\r\nHost: x\nX"} {
		c := dial(t, addr, raw)
		if res, _ := c.answer("GET"); res.status != http.StatusBadRequest || !res.last {
			t.Errorf("%q is answered with %d", raw, res.status)
		}
	}
}

func TestWhatIsTooLarge(t *testing.T) {
	_, addr := serve(t, tell, func(s *http.Server) { s.MaxHeaderBytes = 2 * middleHead })
	for raw, status := range map[string]int{
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 2*middleHead): http.StatusRequestHeaderFieldsTooLarge,
		"GET /" + strings.Repeat("y", 2*middleHead):                            http.StatusRequestURITooLong,
	} {
		c := dial(t, addr, raw)
		if res, body := c.answer("GET"); res.status != status || !res.last {
			t.Errorf("%d: %s", res.status, body)
		}
	}
}

// What has come of a request already goes along. It is the last one, even for a handler
// that says otherwise.
func TestTheConnectionGoesAlong(t *testing.T) {
	for _, says := range []string{"", "keep-alive"} {
		_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if says != "" && !isPlain(w) {
				w.Header().Set("Connection", says)
			}
			tell(w, r)
		}, nil)
		other := "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
		c := dial(t, addr, get+other+"hel")
		c.answer("GET")
		c.send("lo" + get)
		if res, _ := c.answer("POST"); res.status != http.StatusContinue {
			t.Errorf("it is not told to send its body: %d", res.status)
		}
		if res, body := c.answer("POST"); body != "false POST hello" || res.last != (says == "") {
			t.Error(body)
		}
		if rest := c.rest(); rest != "" {
			t.Errorf("more was answered: %s", rest)
		}
	}
}

// A client may close its side behind its last request, and is answered, unless that
// takes too long: it may have closed all.
func TestAClientThatSendsNoMore(t *testing.T) {
	for name, raw := range map[string]string{
		"here":               get,
		"at the other":       "GET / HTTP/1.0\r\nHost: x\r\n\r\n",
		"there, behind more": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadAll(r.Body)
				select {
				case <-r.Context().Done():
					t.Error("its request has ended")
				case <-time.After(3 * patience):
				}
				w.Header().Set("Content-Length", "0")
			}, nil)
			c := dial(t, addr, raw)
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			if res, _ := c.answer("GET"); res.status != http.StatusOK {
				t.Error(res.status)
			}
		})
	}
}

func TestARequestComesInPieces(t *testing.T) {
	_, addr := serve(t, tell, nil)
	head := "PUT / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("y", readBuffer) + "\r\nContent-Length: 5\r\n\r\nhello"
	c := dial(t, addr, "")
	_ = c.Conn.(*net.TCPConn).SetNoDelay(true)
	for range 2 {
		for piece := range slices.Chunk([]byte(head), 500) {
			c.send(string(piece))
		}
		if _, body := c.answer("PUT"); body != "true PUT hello" {
			t.Error(body)
		}
	}
	for i := range len(get) { // byte by byte, next to an answer that is awaited
		c.send(get[i : i+1])
	}
	if _, body := c.answer("GET"); body != "true GET " {
		t.Error(body)
	}
}

// What a handler leaves of a body is no request.
func TestABodyThatIsNotRead(t *testing.T) {
	var calls atomic.Int32
	_, addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Length", "0")
	}, nil)
	for _, body := range []string{"", get, get + get} { // none, some and all of it have come
		calls.Store(0)
		c := dial(t, addr, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", 2*len(get), body))
		if res, _ := c.answer("POST"); !res.last {
			t.Error("it does not say that it is the last")
		}
		if rest := c.rest(); rest != "" || calls.Load() != 1 {
			t.Errorf("%d calls; more came: %q", calls.Load(), rest)
		}
	}
}

// The answer arrives although the client still sends.
func TestAnAnswerBeforeTheBody(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, nil)
	c := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
	go func() {
		for piece := make([]byte, 64<<10); ; {
			if _, err := c.Write(piece); err != nil {
				return
			}
		}
	}()
	if res, _ := c.answer("POST"); res.status != http.StatusForbidden {
		t.Error(res.status)
	}
}

// A goroutine that reads on when its handler has returned must not get what belongs
// to the next request.
func TestALateReader(t *testing.T) {
	bodies := make(chan io.Reader, 1)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			_, _ = io.ReadAll(r.Body)
			bodies <- r.Body
		}
	}, nil)
	c := dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
	c.answer("POST")
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	if n, err := (<-bodies).Read(make([]byte, 100)); n != 0 || err == nil {
		t.Error(n, err)
	}
}

func TestTheReadOfABodyEndsWithTheHandler(t *testing.T) {
	read := make(chan error, 1)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		begun := make(chan bool)
		go func() {
			close(begun)
			_, err := io.ReadAll(r.Body)
			read <- err
		}()
		<-begun
	}, nil)
	dial(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx").answer("POST")
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Error(err)
	}
}

func TestTimeouts(t *testing.T) {
	const short = 50 * time.Millisecond
	for name, tt := range map[string]struct {
		header, idle time.Duration
		raw          string
		answers      int
	}{
		"a client that says nothing":    {short, late, "", 0},
		"a header that does not end":    {short, late, get[:20], 0},
		"the second one that does not":  {short, late, get + get[:20], 1},
		"a client that says no more":    {late, short, get, 1},
		"idle for longer than a header": {short / 2, short, get, 1},
		"a deadline that comes sooner":  {late, short, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 1},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(short / 4))
				tell(w, r)
			}, func(s *http.Server) { s.ReadHeaderTimeout, s.IdleTimeout = tt.header, tt.idle })
			c := dial(t, addr, tt.raw)
			for range tt.answers {
				c.answer("GET")
			}
			if rest := c.rest(); rest != "" {
				t.Errorf("it says %q", rest)
			}
			if took := time.Since(begun); took < min(tt.header, tt.idle) {
				t.Errorf("left after %v", took)
			}
		})
	}
}

func TestNoTimeouts(t *testing.T) {
	_, addr := serve(t, tell, func(s *http.Server) { s.ReadHeaderTimeout, s.IdleTimeout = 0, 0 })
	c := dial(t, addr, get[:20])
	c.send(get[20:])
	c.answer("GET")
	c.send(get)
	c.answer("GET")
}

// What a handler leaves behind may look at its request when others have come.
func TestARequestMayBeKept(t *testing.T) {
	requests := make(chan *http.Request, 2)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { requests <- r }, nil)
	c := dial(t, addr, "PUT /one?a HTTP/1.1\r\nHost: one\r\nX-A: 1\r\n\r\nGET /two HTTP/1.1\r\nHost: two\r\nX-B: 2\r\n\r\n")
	c.answer("PUT")
	first := <-requests
	c.answer("GET")
	<-requests
	if got, want := fmt.Sprint(first.Method, first.URL, first.Host, first.Header), "PUT/one?aonemap[X-A:[1]]"; got != want {
		t.Errorf("%s, was %s", got, want)
	}
}

// Nothing of a request is left for the next one on its connection.
func TestRequestsDoNotMix(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/full" {
			w.Header().Set("X-Answer", "1")
			w.Header().Set("Trailer", "X-Sum")
			r.Form = map[string][]string{"x": nil}
			r.Header.Set("X-Own", "1")
			_, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			return
		}
		said := fmt.Sprint(r.Method, r.Header, r.ContentLength, r.Form, r.URL, r.Host, r.Body == http.NoBody, w.Header())
		w.Header().Set("Content-Length", fmt.Sprint(len(said)))
		_, _ = io.WriteString(w, said)
	}, nil)
	full := "POST /full?a=b HTTP/1.1\r\nHost: full\r\nX-A: 1\r\nX-A: 2\r\nX-B: 3\r\nContent-Length: 5\r\n\r\nhello"
	c := dial(t, addr, full+get)
	c.answer("POST")
	res, body := c.answer("GET")
	if want := "GETmap[] 0 map[] /xtrue map[]"; body != want || res.status != http.StatusOK || res.header.Get("X-Answer") != "" {
		t.Errorf("%d %q %s, want %s", res.status, res.header, body, want)
	}
}
