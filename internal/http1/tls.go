package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"time"
)

// handshake does the TLS handshake within ReadHeaderTimeout and returns the negotiated
// protocol; "" means HTTP/1.1, too. The first header then has a time-out of its own.
func (c *conn) handshake(secure *tls.Conn) (protocol string, err error) {
	timeout := c.server.rest.ReadHeaderTimeout
	if timeout > 0 {
		_ = secure.SetDeadline(time.Now().Add(timeout)) // or the handshake fails
	}
	if err := secure.Handshake(); err != nil {
		c.server.logf("http1: TLS handshake error from %s: %s", c.blank.RemoteAddr, c.handshakeFault(err))
		return "", err
	}
	if timeout > 0 {
		_ = secure.SetWriteDeadline(time.Time{})
		_ = c.setReadDeadline(time.Time{})
	}
	state := secure.ConnectionState()
	c.blank.TLS = &state
	c.since = time.Now()
	return state.NegotiatedProtocol, nil
}

// handshakeFault responds to a client that speaks HTTP without TLS, as net/http does.
func (c *conn) handshakeFault(err error) string {
	header, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || header.Conn == nil || !upperBytes[header.RecordHeader[0]] {
		return err.Error()
	}
	_, _ = io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port speaks HTTPS: use an https:// address.\n")
	_ = header.Conn.Close()
	return "the client sent an HTTP request to an HTTPS server"
}
