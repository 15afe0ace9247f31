package gateway

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
)

// recorder counts what is sent and received, and notes whether anything was. Unwrap lets the
// server's other abilities (flush, deadlines) be reached through it.
type recorder struct {
	http.ResponseWriter
	sent int64
	// received counts the bytes read of the request's body; somebody may still be reading.
	received atomic.Int64
	begun    bool      // the final answer's header is out, or the connection was taken over
	id       [1]string // of the request, as the header's value
	page     *page     // nil: nothing is said to browsers
}

// WriteHeader sets the fields for browsers last, when the backend's own stand beside them.
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
