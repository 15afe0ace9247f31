package gateway

import "net/http"

// recorder counts what is sent. Unwrap lets the server's other abilities
// (flush, hijack, deadlines) be reached through it.
type recorder struct {
	http.ResponseWriter
	sent int64
	id   [1]string // of the request, as the header's value
	page *page     // nil: nothing is said to browsers
}

func (w *recorder) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
