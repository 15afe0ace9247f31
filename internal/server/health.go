package server

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tykctl/tykctl/internal/gateway"
)

// WithHealth answers /health and /ready before next, without authentication. /health
// responds with 200 while the process lives, /ready with 200 while ready returns nil,
// else with 503 and the reason.
func WithHealth(next http.Handler, ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			path = "" // probes use GET or HEAD; the gateway judges anything else
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
	_, _ = io.WriteString(w, text) // the prober may be gone
}
