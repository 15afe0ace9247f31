package systemtest

import (
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/desk"
)

// h2conn speaks HTTP/2 to the gateway frame by frame.
type h2conn struct {
	t *testing.T
	*http2.Framer
	settings map[http2.SettingID]uint32
	window   uint32 // of the connection, above what every one begins with
}

func (w *world) http2(t *testing.T) *h2conn {
	t.Helper()
	conn, err := tls.Dial("tcp", w.in.Server.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	c := &h2conn{t: t, Framer: http2.NewFramer(conn, conn), settings: map[http2.SettingID]uint32{}}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a request with exactly these fields, which ends there if it is whole, and
// returns the answer's header.
func (c *h2conn) ask(stream uint32, whole bool, fields ...string) *http2.MetaHeadersFrame {
	c.t.Helper()
	c.begin(stream, whole, fields...)
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			c.t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			_ = frame.ForeachSetting(func(s http2.Setting) error { c.settings[s.ID] = s.Val; return nil })
		case *http2.WindowUpdateFrame:
			if frame.StreamID == 0 {
				c.window += frame.Increment
			}
		case *http2.MetaHeadersFrame:
			return frame
		}
	}
}

// begin sends the header of a request.
func (c *h2conn) begin(stream uint32, whole bool, fields ...string) {
	c.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: whole})
	if err != nil {
		c.t.Fatal(err)
	}
}

// In HTTP/2 a host field may stand beside the :authority; only one of them would be
// matched, and the backend might read the other.
func TestHTTP2Fields(t *testing.T) {
	w, _, _ := startTLS(t, certtest.New(t), nil)
	key := w.token(desk.Grant{})
	c := w.http2(t)
	stream := uint32(1)
	for _, tt := range []struct {
		fields []string
		status string
	}{
		{nil, "200"},
		{[]string{"host", "gateway.example"}, "200"},
		{[]string{"host", "evil.example"}, "400"},
		{[]string{"host", "gateway.example", "host", "evil.example"}, "400"},
		{[]string{"x_forwarded_for", "6.6.6.6"}, "400"},
		{[]string{"authorization", "Bearer x"}, "400"}, // a second one
	} {
		fields := append([]string{
			":method", "GET", ":scheme", "https", ":authority", "gateway.example", ":path", "/api/v1/test",
			"authorization", "Bearer " + key.JWT,
		}, tt.fields...)
		if got := c.ask(stream, true, fields...).PseudoValue("status"); got != tt.status {
			t.Errorf("%q: %s, want %s", tt.fields, got, tt.status)
		}
		stream += 2
	}
	if n := len(w.backend.requests()); n != 2 {
		t.Errorf("the backend got %d requests, want 2", n)
	}
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingMaxConcurrentStreams: 100,
		http2.SettingInitialWindowSize:    64 << 10,
	} {
		if got := c.settings[id]; got != want {
			t.Errorf("%v is %d, want %d", id, got, want)
		}
	}
	if got := c.window + 65535; got != 1<<20 {
		t.Errorf("the connection's window is %d, want 1 MiB", got)
	}
}

// A request whose length is not what it says ends with its stream; the others go on.
func TestHTTP2Lengths(t *testing.T) {
	w, _, _ := startTLS(t, certtest.New(t), map[string]string{"log.level": "Error"})
	key := w.token(desk.Grant{})
	c := w.http2(t)
	stream := uint32(1)
	for _, tt := range []struct {
		lengths []string
		data    string // "" ends the stream with its header
		reset   bool
	}{
		{nil, "hello", false},
		{[]string{"5"}, "hello", false},
		{[]string{"0"}, "", false},
		{[]string{"6"}, "hello", true},
		{[]string{"4"}, "hello", true},
		{[]string{"5"}, "", true},
		{[]string{"5", "6"}, "hello", true},
		{[]string{"6", "5"}, "hello", true},
		{[]string{"5", "5"}, "hello", true},
		{[]string{"5 "}, "hello", true},
		{[]string{" 5"}, "hello", true},
		{[]string{"+5"}, "hello", true},
		{[]string{"x"}, "hello", true},
		{[]string{""}, "", true},
		{[]string{"9000"}, "hello", true}, // more than is sent along with the header
		{nil, "hello", false},
	} {
		fields := []string{
			":method", "POST", ":scheme", "https", ":authority", "gateway.example", ":path", "/api/v1/test",
			"authorization", "Bearer " + key.JWT,
		}
		for _, length := range tt.lengths {
			fields = append(fields, "content-length", length)
		}
		c.begin(stream, tt.data == "", fields...)
		if tt.data != "" {
			if err := c.WriteData(stream, true, []byte(tt.data)); err != nil {
				t.Fatal(err)
			}
		}
		if status := c.outcome(stream); (status == "reset") != tt.reset || !tt.reset && status != "200" {
			t.Errorf("%q with %q: %s", tt.lengths, tt.data, status)
		}
		stream += 2
	}
}

// outcome is how a stream ends: with a status, or with a reset.
func (c *h2conn) outcome(stream uint32) string {
	c.t.Helper()
	for status := ""; ; {
		frame, err := c.ReadFrame()
		if err != nil {
			c.t.Fatal(err)
		}
		if frame.Header().StreamID != stream {
			continue
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.MetaHeadersFrame:
			status = frame.PseudoValue("status")
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) && status != "" {
			return status
		}
	}
}

// A refusal comes at once, ends its own stream, and leaves the others alone.
func TestHTTP2RefusalDoesNotWaitForTheBody(t *testing.T) {
	w, _, _ := startTLS(t, certtest.New(t), nil)
	key := w.token(desk.Grant{})
	c := w.http2(t)
	target := []string{":method", "POST", ":scheme", "https", ":authority", "gateway.example", ":path", "/api/v1/test"}
	for stream, tt := range []struct {
		whole  bool
		token  string
		status string
	}{
		{false, "none", "401"},
		{true, key.JWT, "200"},
		{false, "none", "401"},
		{true, key.JWT, "200"},
	} {
		fields := append(slices.Clip(target), "authorization", "Bearer "+tt.token)
		if got := c.ask(uint32(2*stream+1), tt.whole, fields...).PseudoValue("status"); got != tt.status {
			t.Errorf("stream %d: %s, want %s", stream, got, tt.status)
		}
	}
}

// stockFailures are what net/http's server fails of h2spec, some of them always and
// the last three when its answer overtakes the fault. At 6.5.3 it ends the connection
// on purpose, as its processSettings says: a SETTINGS frame that has one setting twice
// is none that an honest client sends. None of them matters here: what
// it lets through of the connection-specific fields, inbound and upstream remove.
var stockFailures = map[string]bool{
	"http2/4.2: Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE":                                                                  true,
	"http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                                                                    true,
	"http2/8.1.2.2: Sends a HEADERS frame that contains the connection-specific header field":                                                               true,
	"http2/8.1.2.2: Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"":                                         true,
	"http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream":                                       true,
	"http2/8.1.2.6: Sends a HEADERS frame with the \"content-length\" header field which does not equal the sum of the multiple DATA frames payload length": true,
	"http2/8.1.2.6: Sends a HEADERS frame with the \"content-length\" header field which does not equal the DATA frame payload length":                      true,
}

// TestHTTP2Conformance runs h2spec, the conformance suite for HTTP/2 servers.
func TestHTTP2Conformance(t *testing.T) {
	w, _, _ := startTLS(t, certtest.New(t), map[string]string{"log.level": "Error"})
	host, port, _ := net.SplitHostPort(w.in.Server.Addr().String())
	report := filepath.Join(t.TempDir(), "report.xml")
	out, err := exec.CommandContext(t.Context(), "go", "tool", "h2spec",
		"--host", host, "--port", port, "--tls", "--insecure", "--path", "/health", "--junit-report", report).CombinedOutput()
	text, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("%v: %s", err, out) // it ends with 1 if any case fails
	}
	var suites struct {
		Cases []struct {
			Package string    `xml:"package,attr"`
			Name    string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, c := range suites.Cases {
		name := c.Package + ": " + c.Name
		switch failed := c.Failure != nil || c.Error != nil; {
		case !failed:
			passed++
		case !stockFailures[name]:
			t.Errorf("h2spec fails in %s\n%s", name, out)
		}
	}
	if passed < 135 {
		t.Errorf("only %d cases passed: %s", passed, out)
	}
}
