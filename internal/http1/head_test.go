package http1

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// read takes a header as the server does, from bytes that have come already.
func read(raw string) (*http.Request, error) {
	near, far := net.Pipe()
	defer near.Close()
	far.Close() // so that more than raw is not waited for
	c := newConn(New(&http.Server{}), near)
	c.r = &request{}
	c.buf = make([]byte, len(raw)+1)
	c.end = copy(c.buf, raw)
	if c.end == 0 {
		return nil, io.EOF
	}
	err := c.next()
	return c.r.Request, err
}

// These requests, of three kinds, are what the fuzzing begins with.
var plainRequests = []string{
	get,
	"GET /a/b?c=d;e=%zz#f HTTP/1.1\r\nHost: a.example:8080\r\n\r\nGET",
	"POST /%41%2f//x HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 5\r\nX-A: 1\r\nx-a:\t 2 \r\nEmpty:\r\n\r\nhello",
	"DELETE /? HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	"OPTIONS /'\"<>^`{|}[] HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 8000) + "\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\nC: 4\r\nD: 5\r\n\r\n",
	"HEAD / HTTP/1.1\r\nHost: x\r\nX_Y: \xff\xfe\r\nTe: trailers\r\n\r\n",
	"GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"get /?\xff HTTP/1.1\r\nHost: a(b\r\n\r\n",
	"M-SEARCH / HTTP/1.1\r\nHost: x\r\nConnection: X, close\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\nTrailer: X\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\nCache-Control: private\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", middleHead) + "\r\n\r\n",
	strings.Repeat("M", maxMethod) + " / HTTP/1.1\r\nHost: x\r\n\r\n",
}

var otherRequests = []string{
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\nTrailer: X, Y\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
	"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}

var refusedRequests = []string{
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\nHost: x\n\n",
	"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n\n",
	"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
	"GET / x HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
	"GET / http/1.1\r\nHost: x\r\n\r\n",
	"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
	"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
	strings.Repeat("M", maxMethod+1) + " / HTTP/1.1\r\nHost: x\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"\r\n\r\n",
	"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT %zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775808\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X, content-length\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer---Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\n_Transfer_Encoding2: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent.Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\ncontentlength: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: x\r\nExpect: the unexpected\r\nContent-Length: 5\r\n\r\nhello",
	"\x16\x03\x01\x02\x00",
}

func TestWhatIsPlain(t *testing.T) {
	for _, raw := range plainRequests {
		if _, err := read(raw); err != nil {
			t.Errorf("not taken: %.100q: %v", raw, err)
		}
	}
	for _, raw := range otherRequests {
		if _, err := read(raw); !errors.Is(err, errNotPlain) {
			t.Errorf("not handed over: %.100q: %v", raw, err)
		}
	}
	for _, raw := range refusedRequests {
		if _, err := read(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("not refused: %.100q: %v", raw, err)
		}
	}
}

func checkRefusal(t *testing.T, raw string) {
	near, far := net.Pipe()
	defer far.Close()
	s := New(&http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Errorf("a handler gets it: %q", raw)
	})})
	c := newConn(s, near)
	s.add(c)
	go c.serve()
	go func() { _, _ = io.WriteString(far, raw) }()
	res, err := http.ReadResponse(bufio.NewReader(far), nil)
	if err != nil {
		t.Fatalf("%q is not answered: %v", raw, err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || !res.Close {
		t.Errorf("%q is answered with %s, the last: %v", raw, res.Status, res.Close)
	}
	far.Close()
	<-s.wait()
}

// FuzzHead: whatever is taken for plain net/http reads, and to the same effect. What is
// handed over it reads, too, so that it refuses nothing in words of its own. In
// neither is there a line that ends in LF alone or is folded, and in neither a name
// or a number that frames the message for others only. The rest is 400, and the last on
// its connection.
func FuzzHead(f *testing.F) {
	for _, raw := range slices.Concat(plainRequests, otherRequests, refusedRequests) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := read(raw)
		if errors.Is(err, ErrMalformed) {
			checkRefusal(t, raw)
		}
		taken := err == nil
		if !taken && !errors.Is(err, errNotPlain) {
			return
		}
		head, _, _ := strings.Cut(raw, "\r\n\r\n")
		if strings.Contains(strings.ReplaceAll(head, "\r\n", ""), "\n") {
			t.Fatal("a line ends in LF alone")
		}
		for line := range strings.SplitSeq(head, "\r\n") {
			name, _, _ := strings.Cut(line, ":")
			if line[0] == ' ' || line[0] == '\t' {
				t.Fatal("a line is folded")
			}
			letters := strings.ToLower(regexp.MustCompile("[^A-Za-z]").ReplaceAllString(name, ""))
			if name = strings.ToLower(name); letters == "transferencoding" && name != "transfer-encoding" || letters == "contentlength" && name != "content-length" {
				t.Fatalf("%q is taken", name)
			}
		}
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if method, _, _ := strings.Cut(head, " "); want.Method != method || len(method) > maxMethod {
			t.Fatalf("net/http reads the method %q", want.Method)
		}
		if !taken {
			if hosts := want.Header["Host"]; !httpguts.ValidHostHeader(want.Host) || len(hosts) > 1 {
				t.Fatal("net/http's server refuses the host")
			}
			return
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
