package gateway

import "net/http"

// recorder counts what is sent. Unwrap lets the server's other abilities
// (flush, hijack, deadlines) be reached through it.
type recorder struct {
	http.ResponseWriter
	sent int64
}

func (w *recorder) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// spelling has the names whose letter case net/http does not know. Case does not
// matter to HTTP, but it does to people and to scripts that search for a name.
var spelling = [...]struct{ canonical, spelled string }{
	{"Ratelimit", "RateLimit"},
	{"Ratelimit-Policy", "RateLimit-Policy"},
	{"X-Ratelimit-Limit", "X-RateLimit-Limit"},
	{"X-Ratelimit-Remaining", "X-RateLimit-Remaining"},
	{"X-Ratelimit-Reset", "X-RateLimit-Reset"},
}

func spell(h http.Header) {
	for _, name := range spelling {
		if values, ok := h[name.canonical]; ok {
			delete(h, name.canonical)
			h[name.spelled] = values
		}
	}
}
