package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

// overHTTP2 serves handler in front of an HTTP/2 client, with a second as each
// time-out, and calls do with that client in a bubble of synctest.
func overHTTP2(t *testing.T, handler http.HandlerFunc, do func(t *testing.T, client *http.Client)) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{opts: Options{
			Timeouts: Timeouts{ReadHeader: time.Second, Read: time.Second, Write: time.Second, Idle: time.Second},
			Logger:   slog.New(slog.DiscardHandler),
		}}
		var h2 http.Protocols
		h2.SetUnencryptedHTTP2(true)
		front := s.newHTTP(s.front(handler))
		front.Protocols = &h2
		l := bufconn.Listen(64 << 10) // within the process, so that time can be made up
		go func() { _ = front.Serve(l) }()
		client := &http.Client{Transport: &http.Transport{
			Protocols:   &h2,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) },
		}}
		do(t, client)
		client.CloseIdleConnections()
		if err := front.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The client of a stream is not to blame for a backend that is silent before an
// answer or in the midst of it.
func TestHTTP2StreamsMayBeSilent(t *testing.T) {
	overHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, piece := range []string{"one", "two"} {
			time.Sleep(time.Hour)
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
		time.Sleep(time.Hour)
	}, func(t *testing.T, client *http.Client) {
		res, err := client.Get("http://front/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); string(body) != "onetwo" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// But one that does not read is left, in the midst of a piece as behind the last,
// which the server still holds when the handler has returned.
func TestHTTP2StreamsThatAreNotReadAreLeft(t *testing.T) {
	const window = 4 << 20 // of a stream, as net/http's client opens it
	for name, tt := range map[string]struct {
		pieces []int
		err    error
	}{
		"a piece": {[]int{window + 1}, os.ErrDeadlineExceeded},
		"the end": {[]int{window, 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			overHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
				var err error
				for _, size := range tt.pieces {
					_, err = w.Write(make([]byte, size))
				}
				if !errors.Is(err, tt.err) {
					t.Errorf("it ends with %v, want %v", err, tt.err)
				}
			}, func(t *testing.T, client *http.Client) {
				res, err := client.Get("http://front/")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				time.Sleep(time.Minute)
				if n, err := io.Copy(io.Discard, res.Body); err == nil {
					t.Errorf("all %d bytes of it come", n)
				}
			})
		})
	}
}
