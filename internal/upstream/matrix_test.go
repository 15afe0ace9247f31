package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"time"
)

var silent = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

// The clocks of the matrix: a client may pause for 20 s within its body, a backend for
// 30 s until its header and for 5 min within its answer.
const (
	clientMay, clientMayNot = 15 * time.Second, 25 * time.Second
	headerMay, headerMayNot = 25 * time.Second, 35 * time.Second
	withinMay, withinMayNot = 4 * time.Minute, 6 * time.Minute
)

// pauses says who pauses how long, and where.
type pauses struct {
	client  time.Duration // the client, within its body
	takes   time.Duration // the client, within the answer
	backend time.Duration // the backend, before it takes the body
	header  time.Duration // the backend, when it has taken it, before its header
	within  time.Duration // the backend, before each piece of its answer
	early   bool          // its header comes before it takes the body
	want    error
	cut     bool // when the answer has begun
}

var scenarios = map[string]pauses{
	"nobody pauses":                         {},
	"everybody pauses as long as they may":  {client: clientMay, header: headerMay, within: withinMay, takes: time.Hour},
	"the client takes its time":             {takes: 24 * time.Hour},
	"the client pauses too long":            {client: clientMayNot, want: ErrBodyTimeout},
	"the backend is slow to take":           {backend: headerMay},
	"the backend is too slow to take":       {backend: headerMayNot, want: ErrTimeout},
	"the header comes late":                 {header: headerMay},
	"the header comes too late":             {header: headerMayNot, want: ErrTimeout},
	"the answer pauses":                     {within: withinMay},
	"the answer pauses too long":            {within: withinMayNot, want: ErrTimeout, cut: true},
	"early, nobody pauses":                  {early: true},
	"early, everybody pauses":               {early: true, client: clientMay, backend: withinMay, within: withinMay, takes: time.Hour},
	"early, the client pauses too long":     {early: true, client: clientMayNot, want: ErrBodyTimeout},
	"early, the backend is slow to take":    {early: true, backend: withinMay},
	"early, it is too slow to take":         {early: true, backend: withinMayNot, want: ErrTimeout, cut: true},
	"early, the answer pauses too long":     {early: true, within: withinMayNot, want: ErrTimeout, cut: true},
	"early, too slow, and the client, too":  {early: true, client: clientMay, backend: withinMayNot, want: ErrTimeout, cut: true},
	"the header and the client, and within": {client: clientMay, header: headerMay, within: withinMayNot, want: ErrTimeout, cut: true},
}

// sends are the requests: how many bytes, and whether their number is declared.
var sends = map[string]struct {
	size    int
	chunked bool
}{
	"no body":               {0, false},
	"a short body":          {100, false},
	"a longer body":         {inlineBody + 1, false},
	"a body in chunks":      {100, true},
	"a long body":           {1 << 20, false},
	"a long body in chunks": {1 << 20, true},
}

// answers are three pieces of a size each, in a body whose length is declared or not.
var answers = map[string]struct {
	piece    int
	declared bool
}{
	"a short answer":          {2, true},
	"a short one in chunks":   {2, false},
	"a long answer":           {200 << 10, true},
	"a long answer in chunks": {200 << 10, false},
}

// Nobody's time runs while somebody else has to move, over whichever way, whatever
// is sent, and however it is framed.
func TestWhoMayPauseHowLong(t *testing.T) {
	for wayName, w := range ways {
		t.Run(wayName, func(t *testing.T) {
			for name, p := range scenarios {
				for sent, s := range sends {
					if s.size == 0 && (p.client > 0 || p.backend > 0 || p.early) {
						continue
					}
					if p.backend > 0 && s.size < 1<<20 {
						continue // the connections' buffers take it in the backend's stead
					}
					for answered, a := range answers {
						if !w.lean && (a.declared != (a.piece > 2) || s.chunked && s.size < inlineBody) {
							continue // to net/http's client there is no difference
						}
						t.Run(name+", "+sent+", "+answered, func(t *testing.T) {
							p.check(t, w, s.size, s.chunked, a.piece, a.declared)
						})
					}
				}
			}
		})
	}
}

func (p pauses) check(t *testing.T, w way, size int, chunked bool, piece int, declared bool) {
	if w.backend == "h2c" || w.backend == "https" {
		if p.cut {
			p.want, p.cut = nil, false // pings watch over it
		}
		if p.early && w.front != "http1" && w.front != "net/http" && errors.Is(p.want, ErrBodyTimeout) {
			p.want = nil // a conversation
		}
	}
	if !w.lean && !declared && piece > 64<<10 {
		p.takes = 0 // for ReverseProxy's flusher then waits at a mutex, where the bubble's time stands still
	}
	var body []byte
	got := w.inBubble(t, nil, func(rw http.ResponseWriter, r *http.Request) {
		p.answer(rw, r, size, piece, declared)
	}, func(t *testing.T, c *http.Client) {
		body = p.ask(t, c, size, chunked)
	})
	if len(body) == 3*piece && errors.Is(got, ErrGone) {
		got = nil // it left with all of a declared length, before the end of an HTTP/2 stream was seen
	}
	if !errors.Is(got, p.want) || p.want == nil && got != nil {
		t.Fatalf("%v, want %v", got, p.want)
	}
	if p.want != nil && !errors.Is(p.want, ErrBodyTimeout) && errors.Is(got, ErrCut) != p.cut {
		t.Errorf("%v, want it cut off: %t", got, p.cut)
	}
	if whole := len(body) == 3*piece; whole != (p.want == nil) {
		t.Errorf("the client has %d bytes", len(body))
	}
}

func (p pauses) answer(rw http.ResponseWriter, r *http.Request, size, piece int, declared bool) {
	c := http.NewResponseController(rw)
	_ = c.EnableFullDuplex()
	if declared {
		rw.Header().Set("Content-Length", strconv.Itoa(3*piece))
	}
	if p.early {
		_ = c.Flush()
	}
	time.Sleep(p.backend)
	if n, err := io.Copy(io.Discard, r.Body); err != nil || n != int64(size) {
		return
	}
	time.Sleep(p.header)
	if !p.early {
		_ = c.Flush()
	}
	for range 3 {
		time.Sleep(p.within)
		_, _ = rw.Write(bytes.Repeat([]byte{'x'}, piece))
		_ = c.Flush()
	}
}

// ask returns as much of the answer as there is.
func (p pauses) ask(t *testing.T, c *http.Client, size int, chunked bool) []byte {
	var body io.Reader
	if size > 0 {
		body = &halting{left: size, half: size / 2, pause: p.client}
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://front/", body)
	if err != nil {
		t.Fatal(err)
	}
	if size > 0 && !chunked {
		r.ContentLength = int64(size)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	got := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, got); err != nil {
		return nil
	}
	time.Sleep(p.takes)
	rest, err := io.ReadAll(res.Body)
	if err != nil {
		return got
	}
	return append(got, rest...)
}

// halting is a body whose reader waits in its middle.
type halting struct {
	left, half int
	pause      time.Duration
}

func (h *halting) Read(p []byte) (int, error) {
	if h.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), h.left)
	if h.left > h.half {
		n = min(n, h.left-h.half)
	} else {
		time.Sleep(h.pause)
		h.pause = 0
	}
	h.left -= n
	return n, nil
}

// The backend's time within its answer may be shorter than the client's within its
// request, and does not run in that.
func TestClientsPauseIsNotTheBackends(t *testing.T) {
	for name, w := range ways {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %t", name, chunked), func(t *testing.T) {
				p := pauses{early: true, client: 30 * time.Minute}
				var body []byte
				got := w.inBubble(t, func(o *Options) {
					o.ResponseTimeout, o.IdleTimeout, o.BodyTimeout = 10*time.Second, 10*time.Second, time.Hour
				}, func(rw http.ResponseWriter, r *http.Request) {
					p.answer(rw, r, inlineBody+1, 2, false)
				}, func(t *testing.T, c *http.Client) { body = p.ask(t, c, inlineBody+1, chunked) })
				if got != nil || len(body) != 6 {
					t.Errorf("%v, %q", got, body)
				}
			})
		}
	}
}
