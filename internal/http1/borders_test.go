package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

// Wherever the bytes of a connection are parted on their way, the same comes of
// them: each request is executed once, and by the server that it is for.
func TestAPauseAtEveryBorder(t *testing.T) {
	const raw = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n" +
		"POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" +
		"GET /3 HTTP/1.1\r\nHost: x\r\n\r\n" +
		"POST /4 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" +
		"GET /5 HTTP/1.1\r\nHost: x\r\n\r\n"
	want := []string{"true GET ", "true POST hello", "true GET ", "false POST hello"} // the last on its connection
	executed := make(chan string, len(want)+1)
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		executed <- r.URL.Path
		tell(w, r)
	}, nil)
	for border := 1; border < len(raw); border++ {
		near, far := net.Pipe() // what is written has been read, so nothing is put together again
		_ = far.SetDeadline(time.Now().Add(late))
		c := newConn(s, near)
		if !s.add(c) {
			t.Fatal("the server is closed")
		}
		go c.serve()
		go func() {
			_, _ = io.WriteString(far, raw[:border])
			_, _ = io.WriteString(far, raw[border:])
		}()
		var got, paths []string
		for in := bufio.NewReader(far); len(got) < len(want); {
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("behind byte %d: after %q: %v", border, got, err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			got, paths = append(got, string(body)), append(paths, <-executed)
		}
		far.Close()
		if !slices.Equal(got, want) || len(executed) > 0 {
			t.Errorf("behind byte %d: %q, executed %q and %d more", border, got, paths, len(executed))
		}
	}
}
