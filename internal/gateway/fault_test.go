package gateway

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/http1"
	"github.com/tykctl/tykctl/internal/inbound"
)

const canary = "s3cret-c4nary"

// brittle has a writer that panics in mid-answer.
type brittle struct{ http.ResponseWriter }

func (brittle) Write([]byte) (int, error) { panic(canary) }

func TestPanicsAreAnsweredAndLogged(t *testing.T) {
	bearer := "Bearer a.b." + canary
	for name, tt := range map[string]struct {
		panic  func()
		begun  bool
		quiet  bool // no stack is logged
		logged string
	}{
		"of the runtime":   {panic: func() { var none *Gateway; none.Now() }, logged: "nil pointer dereference"},
		"a text":           {panic: func() { panic(canary) }, logged: "a value of type string"},
		"an error":         {panic: func() { panic(fmt.Errorf("token %s", canary)) }, logged: "a value of type *errors.errorString"},
		"nil":              {panic: func() { panic(nil) }, logged: "nil argument"},
		"within an answer": {begun: true, logged: "a value of type string"},
		"to abort":         {panic: func() { panic(http.ErrAbortHandler) }, begun: true, quiet: true},
	} {
		for server, serve := range map[string]func(http.Handler) *httptest.Server{"net/http": httptest.NewServer, "http1": lean} {
			t.Run(name+" on "+server, func(t *testing.T) {
				var log bytes.Buffer
				var mu sync.Mutex
				told := make(chan Exchange, 1)
				g := &Gateway{
					Inbound: inbound.NewReader(inbound.Options{}),
					Now:     func() time.Time { tt.panic(); return time.Now() },
					Observe: func(x Exchange) { told <- x },
					Logger:  slog.New(slog.NewJSONHandler(&locked{&mu, &log}, nil)),
				}
				s := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header()["Content-Length"] = []string{"9999"} // of a backend's answer
					if tt.panic == nil {
						w = brittle{w}
						delete(r.Header, "Authorization")
					}
					g.ServeHTTP(w, r)
				}))
				defer s.Close()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", bearer)
				res, err := http.DefaultTransport.RoundTrip(req)
				if err == nil {
					defer res.Body.Close()
					var body []byte
					if body, err = io.ReadAll(res.Body); err == nil {
						if tt.begun || res.StatusCode != 500 || !res.Close || !bytes.Contains(body, []byte(`"code":"internal_error"`)) ||
							res.Header.Get("X-Request-Id") == "" || bytes.Contains(body, []byte(canary)) {
							t.Errorf("%d, close %t, %v: %s", res.StatusCode, res.Close, res.Header, body)
						}
					}
				}
				if (err != nil) != tt.begun {
					t.Errorf("the client gets %v", err)
				}
				if x := <-told; x.Status != 500 || x.Reason != ReasonInternal || x.Err == nil || g.inFlight.Load() > 1 {
					t.Errorf("observed: %+v", x)
				}
				s.Close()
				mu.Lock()
				defer mu.Unlock()
				text := log.String()
				if strings.Contains(text, canary) {
					t.Errorf("the log repeats what a panic was given: %s", text)
				}
				if tt.quiet != (text == "") {
					t.Errorf("log: %s", text)
				}
				if !tt.quiet && (!strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, tt.logged) ||
					!strings.Contains(text, "fault_test.go") || !strings.Contains(text, "request_id")) {
					t.Errorf("log: %s", text)
				}
			})
		}
	}
}

// lean serves by way of internal/http1.
func lean(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	front := http1.New(s.Config)
	go func() { _ = front.Serve(s.Listener) }()
	s.URL = "http://" + s.Listener.Addr().String()
	return s
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
