package http1

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A handler cannot tell which of the two servers calls it, nor a client which of
// them answers, but for what is said at New and at response.
func TestBothServersAnswerAlike(t *testing.T) {
	write := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			w.Header().Set("Content-Length", fmt.Sprint(len(s)))
			_, _ = io.WriteString(w, s)
		}
	}
	stream := func(pieces ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			for _, p := range pieces {
				_, _ = io.WriteString(w, p)
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	set := func(fields ...string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i < len(fields); i += 2 {
				w.Header().Add(fields[i], fields[i+1])
			}
		}
	}
	head, post := strings.Replace(get, "GET", "HEAD", 1), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	long := strings.Repeat("0123456789abcdef", 10_000)

	for name, tt := range map[string]struct {
		request string
		h       http.HandlerFunc
	}{
		"nothing":         {get, func(http.ResponseWriter, *http.Request) {}},
		"nothing to HEAD": {head, func(http.ResponseWriter, *http.Request) {}},
		"short":           {get, write("hello")},
		"long":            {get, write(long)},
		"short to HEAD":   {head, write("hello")},
		"stream":          {get, stream("one", "", long, "three")},
		"stream to HEAD":  {head, stream("one", "two")},
		"flush alone":     {get, stream("")},
		"the last": {get, func(w http.ResponseWriter, r *http.Request) {
			set("Connection", "close")(w)
			write("x")(w, r)
		}},
		"the client's last": {strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), write("x")},
		"one of several":    {get + "GET /two HTTP/1.1\r\nHost: x\r\n\r\n", write("x")},
		"fields": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("X-A", "1", "X-A", "2", "X-B", " b\r\nX-C: d", "Bad Name", "x", "Date", "today", "Content-Length", "0")(w)
		}},
		"large header": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("X-A", long[:10000], "Content-Length", "0")(w)
		}},
		"no date": {get, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }},
		"later fields do not count": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("Content-Length", "0")(w)
			w.WriteHeader(http.StatusTeapot)
			set("X-Late", "1")(w)
			w.WriteHeader(http.StatusOK)
		}},
		"204": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("Content-Length", "5", "Content-Type", "text/plain")(w)
			w.WriteHeader(http.StatusNoContent)
			if _, err := io.WriteString(w, "hello"); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}},
		"101, which nobody has asked for": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("Connection", "close")(w)
			w.WriteHeader(http.StatusSwitchingProtocols)
		}},
		"304": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("Content-Length", "5", "Content-Type", "text/plain", "Etag", `"1"`)(w)
			w.WriteHeader(http.StatusNotModified)
		}},
		"too much": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			set("Content-Length", "5")(w)
			_, first := io.WriteString(w, "hello")
			_, second := io.WriteString(w, " world")
			if first != nil || !errors.Is(second, http.ErrContentLength) {
				panic(fmt.Sprint(first, second))
			}
		}},
		"too little": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			set("Content-Length", "11")(w)
			_, _ = io.WriteString(w, "hello")
		}},
		"given up": {get, func(w http.ResponseWriter, r *http.Request) {
			stream("one", "two")(w, r)
			panic(http.ErrAbortHandler)
		}},
		"a goroutine that ends": {get, func(w http.ResponseWriter, r *http.Request) {
			stream("one", "two")(w, r)
			runtime.Goexit()
		}},
		"given up at once": {get, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"a fault":          {get, func(http.ResponseWriter, *http.Request) { panic("on purpose") }},
		"interim answers": {get, func(w http.ResponseWriter, r *http.Request) {
			set("Link", "</a>", "X-Kept", "1", "Content-Length", "1")(w)
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.WriteHeader(http.StatusProcessing)
			write("x")(w, r)
		}},
		"trailers": {get, func(w http.ResponseWriter, r *http.Request) {
			set("Trailer", "X-Sum, X-None")(w)
			stream("one", "two")(w, r)
			set("X-Sum", "6", http.TrailerPrefix+"X-Other", "7")(w)
		}},
		"trailers without a body": {get, func(w http.ResponseWriter, _ *http.Request) {
			set("Trailer", "X-Sum")(w)
			w.WriteHeader(http.StatusOK)
			set("X-Sum", "6")(w)
		}},
		"a trailer that was not announced": {get, func(w http.ResponseWriter, _ *http.Request) {
			set(http.TrailerPrefix+"X-Other", "7")(w)
		}},
		"such a one behind a body": {get, func(w http.ResponseWriter, r *http.Request) {
			stream("one")(w, r)
			set(http.TrailerPrefix+"X-Other", "7")(w)
		}},
		"and one to HEAD": {head, func(w http.ResponseWriter, _ *http.Request) {
			set(http.TrailerPrefix+"X-Other", "7")(w)
		}},
		"trailers to HEAD": {head, func(w http.ResponseWriter, _ *http.Request) {
			set("Trailer", "X-Sum")(w)
			w.WriteHeader(http.StatusOK)
		}},
		"echo": {post + post, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			write(fmt.Sprint(string(b), err, r.ContentLength))(w, r)
		}},
		"a body in two pieces": {post, func(w http.ResponseWriter, r *http.Request) {
			p := make([]byte, 3)
			n, err := io.ReadFull(r.Body, p)
			m, end := r.Body.Read(p)
			write(fmt.Sprint(n, err, m, end))(w, r)
		}},
		"a body that is closed": {post, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			_ = r.Body.Close()
			_, err := r.Body.Read(make([]byte, 1))
			write(fmt.Sprint(err))(w, r)
		}},
		"no body": {get, func(w http.ResponseWriter, r *http.Request) {
			write(fmt.Sprint(r.Body == http.NoBody, r.ContentLength))(w, r)
		}},
		"what a handler sees": {strings.Replace(get, "/", "/a%20b?c=d", 1), func(w http.ResponseWriter, r *http.Request) {
			_, server := r.Context().Value(http.ServerContextKey).(*http.Server)
			_, addr := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			_, deadline := r.Context().Deadline()
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			write(fmt.Sprint(r.Method, r.URL, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor, r.Header, r.Host, r.TLS, r.Close,
				r.TransferEncoding, r.Trailer, r.Form, server, addr, deadline, host, err, r.Context().Err(), r.Context().Value("x")))(w, r)
		}},
		"deadlines": {get, func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			write(fmt.Sprint(c.SetReadDeadline(time.Now().Add(late)), c.SetWriteDeadline(time.Now().Add(late)), c.EnableFullDuplex()))(w, r)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var plain atomic.Bool
			h := func(w http.ResponseWriter, r *http.Request) {
				plain.Store(isPlain(w))
				tt.h(w, r)
			}
			_, addr := serve(t, h, nil)
			got := transcript(t, addr, tt.request)
			if !plain.Load() {
				t.Error("it was not served here")
			}
			stock := httptest.NewUnstartedServer(tt.h)
			stock.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
			stock.Start()
			defer stock.Close()
			if want := transcript(t, stock.Listener.Addr().String(), tt.request); got != want {
				t.Errorf("got\n%.2000s\nnet/http says\n%.2000s", got, want)
			}
		})
	}
}

// transcript tells what answers a client reads until the connection ends, at its
// own end if need be.
func transcript(t *testing.T, addr, request string) string {
	c := dial(t, addr, request)
	method, _, _ := strings.Cut(request, " ")
	if method == "POST" || strings.Count(request, "HTTP/1.1") > 1 {
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	}
	var b strings.Builder
	for {
		_ = c.SetReadDeadline(time.Now().Add(late))
		if b.Len() > 0 {
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}
		res, err := http.ReadResponse(c.in, &http.Request{Method: method})
		if err != nil {
			fmt.Fprintf(&b, "end: %v\n", err)
			return b.String()
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if _, ok := res.Header["Date"]; ok && res.Header.Get("Date") != "today" {
			res.Header.Set("Date", "now")
		}
		fmt.Fprintf(&b, "%s %s, %d, %v, last %v, %v, %v\n", res.Proto, res.Status, res.ContentLength, res.TransferEncoding, res.Close, abridged(body), err)
		for _, h := range []http.Header{res.Header, res.Trailer} {
			for _, name := range slices.Sorted(maps.Keys(h)) {
				fmt.Fprintf(&b, "\t%s: %q\n", name, h[name])
			}
		}
	}
}

func abridged(b []byte) string {
	if len(b) < 2000 {
		return string(b)
	}
	return fmt.Sprintf("%d bytes, %x", len(b), b[len(b)-10:])
}
