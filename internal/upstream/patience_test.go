package upstream

import (
	"errors"
	"io"
	"net/http/httptest"
	"testing"
	"time"
)

// A backend whose header comes byte by byte is not waited for longer than one
// that says nothing.
func TestHeaderMustComeInTime(t *testing.T) {
	overAll(t, func(t *testing.T, path string) {
		s := newScript(t, func(p *peer) {
			p.request()
			for range time.Tick(20 * time.Millisecond) {
				if _, err := io.WriteString(p, "H"); err != nil {
					return
				}
			}
		})
		f := newFront(t, path, s.addr, func(o *Options) { o.ResponseTimeout = 300 * time.Millisecond })
		f.dial(t, get())
		if got := f.outcome(t).err; !errors.Is(got, ErrTimeout) {
			t.Errorf("%v, want %v", got, ErrTimeout)
		}
	})
}

// looking is a body that looks about when it is read.
type looking struct{ look func() }

func (b looking) Read(p []byte) (int, error) {
	b.look()
	return copy(p, "body"), io.EOF
}

// A client that takes its time over a short body holds no connection to the backend.
func TestShortBodyIsReadBeforeAConnectionIsTaken(t *testing.T) {
	s := newScript(t, func(p *peer) {
		for range 2 {
			p.request()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	f := newFront(t, "lean"+behindHTTP1, s.addr)
	idle := func() int {
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		return len(f.pool.idle)
	}
	f.serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if got := f.outcome(t); got.err != nil || idle() != 1 {
		t.Fatalf("%v, %d idle connections", got.err, idle())
	}
	r := httptest.NewRequest("POST", "/", looking{func() {
		if idle() != 1 {
			t.Error("the connection is taken while the body is still awaited")
		}
	}})
	r.ContentLength = 4
	f.serve(httptest.NewRecorder(), r)
	if got := f.outcome(t); got.err != nil {
		t.Error(got.err)
	}
}
