package server

import "net/http"

// closeAfterDoubt makes a request the last on its connection where a proxy in
// front may have seen its end elsewhere: any in chunks, for it may have had a
// Content-Length too, which net/http drops unseen, and any of HTTP/1.0, for it
// may have had a Transfer-Encoding, dropped likewise (RFC 9112, 6.1 and 11.2).
// What follows such a request could be a body's rest that passes for a request.
func closeAfterDoubt(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
