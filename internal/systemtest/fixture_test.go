package systemtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

const testSecret = "a secret of the tests, of forty-some bytes!!"

// world is a running gateway, as serve runs it, with a real Redis and a backend
// that remembers what it was sent.
type world struct {
	t       *testing.T
	url     string
	redis   *redistest.Server
	client  *redis.Client
	backend *backend
	log     *lines
	cfg     *config.Config
	in      *app.Installation
	stop    context.CancelFunc
	done    chan error
}

// start runs a gateway. Options override the test's own.
func start(t *testing.T, options map[string]string) *world {
	t.Helper()
	store := redistest.Start(t)
	return startWith(t, store, options)
}

func startWith(t *testing.T, store *redistest.Server, options map[string]string) *world {
	t.Helper()
	return startAt(t, store, options, time.Now)
}

// startAt runs a gateway with a clock of its own. Without a store, options say
// where Redis is.
func startAt(t *testing.T, store *redistest.Server, options map[string]string, now func() time.Time) *world {
	t.Helper()
	w := &world{t: t, redis: store, backend: newBackend(t), log: &lines{}, done: make(chan error, 1)}
	flags := map[string]string{
		"application.target_host":      w.backend.URL,
		"application.ip":               "127.0.0.1",
		"application.port":             "0",
		"application.token.jwt_secret": testSecret,
		"monitoring.ip":                "127.0.0.1",
		"monitoring.port":              "0",
		"server.drain_delay":           "0s",
		"log.level":                    "Debug",
		"log.format":                   "json",
	}
	if store != nil {
		flags["redis.addr"] = store.Addr
	}
	maps.Copy(flags, options)
	cfg, err := config.Load(config.Source{NoFile: true, Flags: flags, Require: app.Required})
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = cfg
	if w.in, err = app.Open(cfg, app.Options{Log: w.log, Now: now, Version: "test"}); err != nil {
		t.Fatal(err)
	}
	w.log.flush = func() { w.in.Log.Flush(20 * time.Second) }
	w.url = app.Scheme(cfg) + "://" + w.in.Server.Addr().String()
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	go func() { w.done <- w.in.Run(ctx) }()
	t.Cleanup(func() { _ = w.end(); w.in.Close() })
	if store != nil && options["redis.addr"] == "" {
		w.client = store.Client(t)
	}
	return w
}

// end stops the gateway and returns what serve would.
func (w *world) end() error {
	w.stop()
	err := <-w.done
	w.done <- err
	return err
}

// token makes a key the way `token gen` does.
func (w *world) token(g desk.Grant) desk.Issued {
	w.t.Helper()
	if g.Routes == nil {
		g.Routes = []string{"/api/v1/test"}
	}
	if g.Limit == 0 {
		g.Limit = 1000
	}
	if g.TTL == 0 {
		g.TTL = time.Hour
	}
	made, err := desk.Issue(w.t.Context(), registry.New(w.in.Store), w.in.Key, g)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// reply is an answer, read whole.
type reply struct {
	*http.Response
	body    string
	problem struct {
		Type, Title, Detail, Instance, Code string
		Status                              int
		RequestID                           string `json:"request_id"`
	}
}

func (r reply) code() string { return r.problem.Code }

func (w *world) get(path, jwt string) reply {
	w.t.Helper()
	return w.do("GET", path, jwt, nil)
}

func (w *world) do(method, path, jwt string, body io.Reader) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	return w.send(req)
}

func (w *world) send(req *http.Request) reply {
	w.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.readReply(res)
}

// raw sends exact bytes on a connection of its own and reads one answer.
func (w *world) raw(request string) reply {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.readReply(res)
}

func (w *world) readReply(res *http.Response) reply {
	w.t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{Response: res, body: string(body)}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(body, &r.problem); err != nil {
			w.t.Fatalf("not a problem: %v: %s", err, body)
		}
	}
	return r
}

// want checks status and code of an answer, and that a refusal explains itself.
func (w *world) want(r reply, status int, code string) {
	w.t.Helper()
	if r.StatusCode != status || r.code() != code {
		w.t.Errorf("got %d %q, want %d %q (%s)", r.StatusCode, r.code(), status, code, r.body)
	}
	if code == "" {
		return
	}
	if id := r.Header.Get("X-Request-Id"); id == "" || id != r.problem.RequestID {
		w.t.Errorf("X-Request-Id %q, request_id %q", id, r.problem.RequestID)
	}
	if r.problem.Status != status || r.problem.Title == "" || r.problem.Detail == "" || !strings.HasSuffix(r.problem.Type, "#"+code) {
		w.t.Errorf("incomplete problem: %s", r.body)
	}
	if line := w.log.find("request_id", r.problem.RequestID); line["reason"] != code || line["status"] != float64(status) {
		w.t.Errorf("access log says %v, want reason %q", line, code)
	}
}

// used sums what was taken of a key, over all windows.
func (w *world) used(apiKey string) int64 {
	w.t.Helper()
	keys, err := w.client.Keys(w.t.Context(), "rate_count:"+apiKey+":*").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	var sum int64
	for _, k := range keys {
		n, err := w.client.Get(w.t.Context(), k).Int64()
		if err != nil {
			w.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// metric is the value of one series, by its name and labels as they are exposed.
func (w *world) metric(series string) string {
	w.t.Helper()
	res, err := http.Get("http://" + w.in.Server.MetricsAddr().String() + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	scan := bufio.NewScanner(res.Body)
	for scan.Scan() {
		if value, ok := strings.CutPrefix(scan.Text(), series+" "); ok {
			return value
		}
	}
	return ""
}

// ready waits until /ready says so.
func (w *world) ready() {
	w.t.Helper()
	w.eventually("ready", func() bool { return w.in.Ledger.Ready() == nil })
}

// eventually asks until it is so, or fails.
func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !so() {
		select {
		case <-late:
			w.t.Fatalf("never: %s\n%s", what, w.log.String())
		case <-tick.C:
		}
	}
}

// backend answers 200 and remembers requests. A handler may answer in its place.
type backend struct {
	*httptest.Server
	mu      sync.Mutex
	seen    []*http.Request
	handler http.HandlerFunc
}

func newBackend(t *testing.T) *backend {
	b := &backend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.seen = append(b.seen, r)
		handler := b.handler
		b.mu.Unlock()
		if handler != nil {
			handler(w, r)
			return
		}
		fmt.Fprintln(w, "hello")
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) answer(h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handler = h
}

func (b *backend) requests() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

// lines is a log in JSON that can be read while it is written.
type lines struct {
	flush func() // has what was logged written; may be nil
	mu    sync.Mutex
	buf   bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	if l.flush != nil {
		l.flush()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// find returns the line whose field has the value; it waits for one, since the
// client has its answer before the line is written.
func (l *lines) find(field, value string) map[string]any {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		for line := range strings.Lines(l.String()) {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && m[field] == value {
				return m
			}
		}
		<-tick.C
	}
	return nil
}

func (l *lines) count(text string) int { return strings.Count(l.String(), text) }

// record replaces a key's record with raw text.
func (w *world) record(apiKey, raw string) {
	w.t.Helper()
	if err := w.client.Set(w.t.Context(), "token:"+apiKey, raw, time.Hour).Err(); err != nil {
		w.t.Fatal(err)
	}
}

func claimsFor(apiKey string) jwtauth.Claims {
	now := time.Now()
	return jwtauth.Claims{APIKey: apiKey, Expires: now.Add(time.Hour).Unix(), IssuedAt: now.Unix()}
}
