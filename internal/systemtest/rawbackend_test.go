package systemtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// rawBackend records the bytes of each request, and answers with given bytes.
type rawBackend struct {
	addr   string
	mu     sync.Mutex
	seen   []rawRequest
	answer []byte
}

type rawRequest struct {
	line   string // the first one, as it came
	fields http.Header
	body   string
	fault  error // of its framing, or bytes that follow it unasked
}

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func newRawBackend(t *testing.T) *rawBackend {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &rawBackend{addr: l.Addr().String()}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(conn)
		}
	})
	return b
}

func (b *rawBackend) serve(conn net.Conn) {
	defer conn.Close()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		raw.Reset()
		if _, err := in.Peek(1); err != nil {
			return
		}
		req, err := http.ReadRequest(in)
		var got rawRequest
		if err == nil {
			body, cut := io.ReadAll(req.Body)
			if cut != nil {
				return // no backend acts on a request that it has not got
			}
			got.fields, got.body = req.Header, string(body)
			got.fields.Set("Host", req.Host)
		}
		got.line, _, _ = strings.Cut(raw.String(), "\r\n")
		if err == nil && in.Buffered() > 0 {
			err = fmt.Errorf("more than one request: %q", raw.String())
		}
		got.fault = err
		b.mu.Lock()
		b.seen = append(b.seen, got)
		answer := b.answer
		b.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// expect begins a case: nothing seen yet, and how to answer.
func (b *rawBackend) expect(answer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen, b.answer = nil, answer
	if answer == nil {
		b.answer = []byte(plainAnswer)
	}
}

func (b *rawBackend) requests() []rawRequest {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

func (b *rawBackend) check(t *testing.T, want []edgeMessage) {
	t.Helper()
	got := b.requests()
	if len(got) != len(want) {
		t.Fatalf("the backend got %d requests, want %d: %+v", len(got), len(want), got)
	}
	for i, m := range want {
		if got[i].fault != nil {
			t.Errorf("the backend cannot read the request: %v", got[i].fault)
		}
		if got[i].line != m.start {
			t.Errorf("the backend got %q, want %q", got[i].line, m.start)
		}
		m.checkFields(t, "the backend's request", got[i].fields, got[i].body)
	}
}
