package gateway

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
)

// recorder counts the bytes sent and received, and notes whether a response has begun.
// Unwrap gives access to the server's other abilities (flush, deadlines).
type recorder struct {
	http.ResponseWriter
	sent int64
	// received counts the bytes read of the request body; a reader may still be active.
	received atomic.Int64
	begun    bool      // the final response's header was sent, or the connection was hijacked
	id       [1]string // the request's ID, as a header value
	page     *page     // nil: no CORS fields
}

// WriteHeader sets the CORS fields last, when the backend's own are in the header.
func (w *recorder) WriteHeader(status int) {
	if w.page != nil && status >= http.StatusOK {
		w.page.set(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
	w.begun = w.begun || status >= http.StatusOK || status == http.StatusSwitchingProtocols
}

// Hijack is what [http.ResponseController] calls.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.begun = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *recorder) Write(p []byte) (int, error) {
	w.begun = true
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
