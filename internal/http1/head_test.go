package http1

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// read takes a header as the server does, from bytes that have come already.
func read(raw string) (*http.Request, bool) {
	near, far := net.Pipe()
	defer near.Close()
	far.Close() // so that more than raw is not waited for
	c := newConn(&Server{rest: &http.Server{}}, near)
	if len(raw) > maxHead {
		raw = raw[:maxHead]
	}
	c.buf = make([]byte, maxHead)
	c.end = copy(c.buf, raw)
	if c.end == 0 || c.next() != nil {
		return nil, false
	}
	return c.r.Request, true
}

// requests are what the fuzzing begins with. Those that are plain come first.
var plainRequests = []string{
	get,
	"GET /a/b?c=d;e=%zz#f HTTP/1.1\r\nHost: a.example:8080\r\n\r\nGET",
	"POST /%41%2f//x HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 5\r\nX-A: 1\r\nx-a:\t 2 \r\nEmpty:\r\n\r\nhello",
	"DELETE /? HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	"OPTIONS /'\"<>^`{|}[] HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 8000) + "\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\nC: 4\r\nD: 5\r\n\r\n",
	"HEAD / HTTP/1.1\r\nHost: x\r\nX_Y: \xff\xfe\r\nTe: trailers\r\n\r\n",
}

var otherRequests = []string{
	"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"GET / HTTP/1.1\nHost: x\n\n",
	"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
	"GET / x HTTP/1.1\r\nHost: x\r\n\r\n",
	"get / HTTP/1.1\r\nHost: x\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775808\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
	"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nTrailer: X\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", maxHead) + "\r\n\r\n",
	"\x16\x03\x01\x02\x00",
}

func TestWhatIsPlain(t *testing.T) {
	for _, raw := range plainRequests {
		if _, ok := read(raw); !ok {
			t.Errorf("not taken: %.100q", raw)
		}
	}
	for _, raw := range otherRequests {
		if _, ok := read(raw); ok {
			t.Errorf("taken: %.100q", raw)
		}
	}
}

// FuzzHead: whatever is taken for plain, net/http reads, and to the same effect.
func FuzzHead(f *testing.F) {
	for _, raw := range slices.Concat(plainRequests, otherRequests) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := read(raw)
		if !ok {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if got.Method != want.Method || got.RequestURI != want.RequestURI || got.Host != want.Host ||
			got.Proto != want.Proto || got.ProtoMajor != want.ProtoMajor || got.ProtoMinor != want.ProtoMinor ||
			got.ContentLength != want.ContentLength || got.Close != want.Close || *got.URL != *want.URL ||
			len(want.TransferEncoding) > 0 || want.Trailer != nil {
			t.Errorf("read as\n%+v (%+v), net/http\n%+v (%+v)", got, got.URL, want, want.URL)
		}
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Errorf("header\n%q, net/http\n%q", got.Header, want.Header)
		}
	})
}
