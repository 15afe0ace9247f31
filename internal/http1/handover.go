package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// handover is the other server's listener. It accepts the connections that are handed
// over to that server.
type handover struct {
	addr    net.Addr
	conns   chan net.Conn
	closing sync.Once
	closed  chan struct{}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case nc := <-h.conns:
		return nc, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.closing.Do(func() { close(h.closed) })
	return nil
}

func (h *handover) Addr() net.Addr { return h.addr }

// give hands a connection over.
func (h *handover) give(nc net.Conn) {
	select {
	case h.conns <- nc:
	case <-h.closed:
		_ = nc.Close()
	}
}

// once limits a connection that was handed over to one request, because net/http reads
// headers less strictly than [request.parseHead], which has read only the first. It
// returns rest's original handler.
func once(rest *http.Server) http.Handler {
	h, noted := rest.Handler, rest.ConnState
	rest.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			w.Header()["Connection"] = []string{"close"}
		}
		h.ServeHTTP(w, r)
		if r.ProtoMajor == 1 && r.ContentLength != 0 {
			lingerIfLeft(w, r)
		}
	})
	rest.ConnState = func(nc net.Conn, state http.ConnState) {
		if _, ok := nc.(interface{ onlyOnce() }); ok && state == http.StateIdle {
			_ = nc.Close() // whatever the handler said
		}
		if noted != nil {
			noted(nc, state)
		}
	}
	return h
}

// lingerIfLeft makes net/http wait before it closes a connection whose request was not
// read to its end. By itself it waits only if it has read 256 KiB of the rest, and never
// after Expect. A client that is still sending is then reset, and may lose the response.
func lingerIfLeft(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	var one [1]byte
	if _, err := r.Body.Read(one[:]); !errors.Is(err, io.EOF) {
		_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader(" ")), 0).Read(one[:]) // which tells the server
	}
}

// rewound is a connection from which some bytes have already been read. It serves one
// request.
type rewound struct {
	net.Conn
	head []byte

	mu    sync.Mutex
	late  bool          // the read deadline had passed when it was set
	woken chan struct{} // closed when late is set; nil while nobody waits
}

// rewoundTLS shows net/http's server what it puts into [http.Request.TLS].
type rewoundTLS struct{ *rewound }

func (r rewoundTLS) ConnectionState() tls.ConnectionState {
	return r.Conn.(*tls.Conn).ConnectionState()
}

func rewind(nc net.Conn, head []byte) net.Conn {
	r := &rewound{Conn: nc, head: head}
	if _, ok := nc.(*tls.Conn); ok {
		return rewoundTLS{r}
	}
	return r
}

func (r *rewound) onlyOnce() {}

func (r *rewound) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		if r.head = r.head[n:]; len(r.head) == 0 {
			r.head = nil
		}
		return n, nil
	}
	n, err := r.Conn.Read(p)
	if n == 0 && errors.Is(err, io.EOF) {
		err = r.part()
	}
	return n, err
}

// part delays the client's end of stream for a while: net/http would conclude that the
// client has left.
func (r *rewound) part() error {
	woken := make(chan struct{})
	r.mu.Lock()
	if r.late {
		close(woken)
	} else {
		r.woken = woken
	}
	r.mu.Unlock()
	over := time.NewTimer(parting)
	defer over.Stop()
	select {
	case <-over.C:
		return io.EOF
	case <-woken:
		return os.ErrDeadlineExceeded
	}
}

// SetReadDeadline also ends a wait if the deadline has passed.
func (r *rewound) SetReadDeadline(t time.Time) error {
	r.note(!t.IsZero() && !t.After(time.Now()))
	return r.Conn.SetReadDeadline(t)
}

// SetDeadline sets both deadlines.
func (r *rewound) SetDeadline(t time.Time) error {
	return errors.Join(r.SetReadDeadline(t), r.SetWriteDeadline(t))
}

func (r *rewound) Close() error {
	r.note(true)
	return r.Conn.Close()
}

func (r *rewound) note(late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late = late; late && r.woken != nil {
		close(r.woken)
		r.woken = nil
	}
}

// NetConn returns the underlying connection, like that of a [crypto/tls.Conn].
func (r *rewound) NetConn() net.Conn { return r.Conn }

// CloseWrite lets net/http end a response before it closes.
func (r *rewound) CloseWrite() error { return closeWrite(r.Conn) }

func closeWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
