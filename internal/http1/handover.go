package http1

import (
	"net"
	"sync"
)

// handover is the listener of the other server: what it accepts are connections
// that were found to be for it.
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

// give hands a connection over, from whose client the bytes of head were read.
func (h *handover) give(nc net.Conn, head []byte) {
	select {
	case h.conns <- &rewound{nc, head}:
	case <-h.closed:
		_ = nc.Close()
	}
}

// rewound is a connection some of whose bytes have been read already.
type rewound struct {
	net.Conn
	head []byte
}

func (r *rewound) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		if r.head = r.head[n:]; len(r.head) == 0 {
			r.head = nil
		}
		return n, nil
	}
	return r.Conn.Read(p)
}

// NetConn is the connection beneath, as that of a [crypto/tls.Conn] is.
func (r *rewound) NetConn() net.Conn { return r.Conn }

// CloseWrite lets net/http end an answer before it closes.
func (r *rewound) CloseWrite() error { return closeWrite(r.Conn) }

func closeWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
