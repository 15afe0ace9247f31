package server

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tykctl/tykctl/internal/gateway"
)

// WithHealth answers /health and /ready in front of next, outside
// authentication. /health is 200 while the process lives; /ready is 200 while
// ready returns nil, else 503 with the reason.
func WithHealth(next http.Handler, ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			path = "" // a probe asks; anything else is for the gateway to judge
		}
		switch path {
		case "/health":
			plain(w, r, http.StatusOK, "Ok")
		case "/ready":
			if err := ready(); err != nil {
				plain(w, r, http.StatusServiceUnavailable, err.Error())
				return
			}
			plain(w, r, http.StatusOK, "Ok")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func plain(w http.ResponseWriter, r *http.Request, status int, text string) {
	gateway.LeaveBody(w, r)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // nobody to tell when the prober left
}
