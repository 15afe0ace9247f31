package systemtest

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/desk"
)

// TestEdge runs the scripts in testdata/edge: exact bytes on real sockets on both
// sides of the gateway. A file begins with its options; what follows are cases,
// separated by blank lines:
//
//	# the rule, in words
//	> GET / HTTP/1.1      bytes from the client, and CRLF
//	+ 5\n                 bytes from the client, and nothing more
//	~ HTTP/1.1 103 Hints  bytes from the backend, and CRLF, in place of a plain 200
//	< 400 bad_request     an answer: status, and code if it is a refusal
//	< Allow: GET          … which has this field; a * at its end stands for any rest
//	< !X-Powered-By       … and has no such field
//	= GET / HTTP/1.1      a request that the backend gets: its first line
//	= X-Kept: yes         … a field, the only one of its name
//	= !Upgrade            … no such field
//	= body hello          … its body, without the chunks
//	closed                the gateway then closes the connection
//
// What the backend gets is always compared: without a line = it is nothing. Three
// words stand for a whole request, with a good token; where several follow each
// other, each is a case of its own:
//
//	target /a/../b        GET of this target
//	header X_Y: 1         GET of /ok with this field
//	bearer abc            GET of /ok with this token
//
// \r \n \t \\ \xNN are bytes. {{token}} is a good token, {{flipped}} the same but for its last bit, {{aaa 9000}} so many
// letters, {{fields 99}} so many fields, {{backend}} the backend's address, {{jwt HEADER PAYLOAD}} a token signed
// with the gateway's secret, in whose payload $key, $now and $later are filled in
// and the good members stand for $good, {{unsigned …}} the same without a signature.
func TestEdge(t *testing.T) {
	files, err := filepath.Glob("testdata/edge/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runEdge(t, file, nil) })
	}
	for _, name := range []string{"framing", "strict"} {
		t.Run(name+", over TLS", func(t *testing.T) {
			cert, key := certtest.SelfSigned(t)
			runEdge(t, "testdata/edge/"+name+".txt", map[string]string{"server.tls.cert": cert, "server.tls.key": key})
		})
	}
	t.Run("token, with none remembered", func(t *testing.T) {
		runEdge(t, "testdata/edge/token.txt", map[string]string{"application.token.cache_size": "0"})
	})
}

func runEdge(t *testing.T, file string, more map[string]string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	back := newRawBackend(t)
	options := map[string]string{"application.target_host": "http://" + back.addr}
	for line := range strings.Lines(blocks[0]) {
		if option, ok := strings.CutPrefix(strings.TrimSpace(line), "option "); ok {
			key, value, _ := strings.Cut(option, "=")
			options[key] = value
		}
	}
	maps.Copy(options, more)
	w := start(t, options)
	vars := edgeVars{key: w.token(desk.Grant{Routes: []string{"/**"}, Limit: 1e6}), backend: back.addr}
	for _, block := range blocks[1:] {
		for _, c := range parseEdge(t, block, vars) {
			t.Run(c.name, func(t *testing.T) { c.run(t, w, back) })
		}
	}
}

// edgeCase is one connection: what goes in, and what must come out on both sides.
type edgeCase struct {
	name    string
	sent    []byte
	backend []byte // "" is a plain 200
	answers []edgeMessage
	seen    []edgeMessage
	closed  bool
}

// edgeMessage is what an answer, or a request at the backend, must look like.
type edgeMessage struct {
	start  string // "400 bad_request", or a request line
	fields []string
	body   *string
}

type edgeVars struct {
	key     desk.Issued
	backend string
}

func parseEdge(t *testing.T, block string, vars edgeVars) []edgeCase {
	t.Helper()
	var c edgeCase
	var short [][]byte // whole requests, each a case of its own
	var names []string
	for line := range strings.Lines(block) {
		line = strings.TrimSuffix(line, "\n")
		word, rest, _ := strings.Cut(line, " ")
		request := func(target, field, token string) {
			names = append(names, line)
			short = append(short, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: gateway.example\r\n%sAuthorization: Bearer %s\r\n\r\n", target, field, token))
		}
		switch word {
		case "#":
			c.name = strings.TrimSpace(c.name + " " + rest)
		case ">":
			c.sent = append(append(c.sent, vars.expand(t, rest)...), "\r\n"...)
		case "+":
			c.sent = append(c.sent, vars.expand(t, rest)...)
		case "~":
			c.backend = append(append(c.backend, vars.expand(t, rest)...), "\r\n"...)
		case "<":
			c.answers = addLine(c.answers, string(vars.expand(t, rest)), rest != "" && isDigit(rest[0]))
		case "=":
			c.seen = addLine(c.seen, string(vars.expand(t, rest)), strings.Contains(rest, " HTTP/1."))
		case "closed":
			c.closed = true
		case "target":
			request(string(vars.expand(t, rest)), "", vars.key.JWT)
		case "header":
			request("/ok", string(vars.expand(t, rest))+"\r\n", vars.key.JWT)
		case "bearer":
			request("/ok", "", string(vars.expand(t, rest)))
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	if c.name == "" || len(c.answers) == 0 && !c.closed {
		t.Fatalf("no rule or no answer in:\n%s", block)
	}
	if short == nil {
		return []edgeCase{c}
	}
	cases := make([]edgeCase, len(short))
	for i, sent := range short {
		cases[i] = c
		cases[i].name, cases[i].sent = c.name+"/"+names[i], sent
	}
	return cases
}

func addLine(list []edgeMessage, line string, starts bool) []edgeMessage {
	if starts {
		return append(list, edgeMessage{start: line})
	}
	last := &list[len(list)-1]
	if body, ok := strings.CutPrefix(line, "body"); ok {
		body = strings.TrimPrefix(body, " ")
		last.body = &body
	} else {
		last.fields = append(last.fields, line)
	}
	return list
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

var (
	edgeWord   = regexp.MustCompile(`\{\{.*\}\}`)
	edgeEscape = regexp.MustCompile(`\\(r|n|t|\\|x[0-9a-f]{2})`)
)

func (v edgeVars) expand(t *testing.T, line string) []byte {
	line = edgeWord.ReplaceAllStringFunc(line, func(word string) string {
		name, args, _ := strings.Cut(word[2:len(word)-2], " ")
		switch name {
		case "token":
			return v.key.JWT
		case "flipped":
			last := len(v.key.JWT) - 1
			return v.key.JWT[:last] + string(v.key.JWT[last]+1) // which holds 0, 4, 8 … in base64, so none is the alphabet's last
		case "backend":
			return v.backend
		case "jwt":
			signed := v.unsigned(args)
			mac := hmac.New(sha256.New, []byte(testSecret))
			mac.Write([]byte(signed))
			return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		case "unsigned":
			return v.unsigned(args) + "."
		}
		n, err := strconv.Atoi(args)
		if err != nil {
			t.Fatalf("what is %s?", word)
		}
		if name == "fields" {
			return strings.Repeat(`X: y\r\n`, n)
		}
		return strings.Repeat(name[:1], n)
	})
	return edgeEscape.ReplaceAllFunc([]byte(line), func(escape []byte) []byte {
		text, err := strconv.Unquote(`"` + string(escape) + `"`)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(text)
	})
}

// unsigned encodes a header and a payload, which a blank separates.
func (v edgeVars) unsigned(args string) string {
	header, payload, _ := strings.Cut(args, " ")
	now := time.Now().Unix()
	payload = strings.NewReplacer(
		"$good", `"api_key":"`+v.key.APIKey+`","exp":`+strconv.FormatInt(now+3600, 10),
		"$key", v.key.APIKey, "$now", strconv.FormatInt(now, 10), "$later", strconv.FormatInt(now+3600, 10),
	).Replace(payload)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload))
}

// patience is how long a test waits for what must come, on a slow machine too.
const patience = 20 * time.Second

// rawConn is a client's connection, of which it may close its own side.
type rawConn interface {
	net.Conn
	CloseWrite() error
}

// sendRaw opens a connection and writes to it.
func (w *world) sendRaw(t *testing.T, request []byte) rawConn {
	t.Helper()
	scheme, addr, _ := strings.Cut(w.url, "://")
	conn, err := net.Dial("tcp", addr)
	if err == nil && scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	return conn.(rawConn)
}

func (c edgeCase) run(t *testing.T, w *world, back *rawBackend) {
	back.expect(c.backend)
	conn := w.sendRaw(t, c.sent)
	in := bufio.NewReader(conn)
	for _, want := range c.answers {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("want %s, got %v", want.start, err)
		}
		r := reply{Response: res}
		if final := res.StatusCode >= 200; final {
			r = w.readReply(res)
		}
		want.checkAnswer(t, r)
	}
	if !c.closed {
		// The gateway sees no further request, and must not find one in what it has.
		_ = conn.CloseWrite()
	}
	rest, err := io.ReadAll(in)
	if len(rest) > 0 {
		t.Errorf("one answer more: %q", rest)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Error("the connection stays open")
	}
	back.check(t, c.seen)
}

func (m edgeMessage) checkAnswer(t *testing.T, r reply) {
	t.Helper()
	if got := strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", r.code())); got != m.start {
		t.Errorf("answer %s, want %s: %s", got, m.start, r.body)
	}
	if r.Close {
		r.Header.Set("Connection", "close") // net/http has taken it away
	}
	m.checkFields(t, "the answer", r.Header, r.body)
}

func (m edgeMessage) checkFields(t *testing.T, of string, fields http.Header, body string) {
	t.Helper()
	for _, want := range m.fields {
		name, value, _ := strings.Cut(want, ": ")
		if absent, ok := strings.CutPrefix(name, "!"); ok {
			if got := fields.Values(absent); len(got) > 0 {
				t.Errorf("%s: %s has %q, want none", of, absent, got)
			}
			continue
		}
		got := fields.Values(name)
		prefix, open := strings.CutSuffix(value, "*")
		if len(got) != 1 || got[0] != value && (!open || !strings.HasPrefix(got[0], prefix)) {
			t.Errorf("%s: %s has %q, want %q", of, name, got, value)
		}
	}
	if m.body != nil && body != *m.body {
		t.Errorf("%s: body %q, want %q", of, body, *m.body)
	}
}
