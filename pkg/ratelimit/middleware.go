package ratelimit

import (
	"net/http"
)

// Middleware applies limits to HTTP handlers. Every response to a limited request
// has the fields of [Decision.SetHeader]; a refusal is 429 Too Many Requests. With a
// LeakyBucket, Middleware waits for the delay before it calls the handler; if the
// request's context ends first, it does not call the handler.
type Middleware struct {
	// Limiter grants the permits. Each request takes one.
	Limiter Limiter
	// Limit returns the key that the request counts against, and the key's limit. A
	// request with an empty key is not limited.
	Limit func(r *http.Request) (key string, limit Limit)
	// OnError, if set, is called when the Limiter fails, and decides whether the
	// request passes anyway. If it does not, or if OnError is nil, the response is 503
	// Service Unavailable.
	OnError func(r *http.Request, err error) (pass bool)
}

// Handler returns a handler that limits requests to next.
func (m Middleware) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, limit := m.Limit(r)
		if key == "" {
			next.ServeHTTP(w, r)
			return
		}
		d, err := m.Limiter.Take(r.Context(), key, limit, 1)
		if err != nil {
			if r.Context().Err() == nil && m.OnError != nil && m.OnError(r, err) {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "1")
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		d.SetHeader(w.Header())
		switch {
		case !d.Allowed():
			http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		case d.Wait(r.Context()) != nil:
			// The client has left, or a time-out answers in the handler's place.
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
