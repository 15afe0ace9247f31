package ratelimit

import (
	"net/http"
)

// Middleware limits HTTP handlers. Every answer to a request that was limited
// carries the fields of [Decision.SetHeader]; a refusal is 429 Too Many Requests.
// A LeakyBucket's delay is waited for before the handler is called, and given up
// when the request's context ends.
type Middleware struct {
	// Limiter grants the permits; each request takes one.
	Limiter Limiter
	// Limit says which key the request counts for and what that key may take. With
	// an empty key the request is not limited.
	Limit func(r *http.Request) (key string, limit Limit)
	// OnError, if set, is told when the Limiter fails, and decides whether the request
	// passes all the same. Else it is answered 503 Service Unavailable, as all
	// are when OnError is nil.
	OnError func(r *http.Request, err error) (pass bool)
}

// Handler returns next, limited.
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
			// Nobody waits for an answer any more, or not for the handler's.
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
