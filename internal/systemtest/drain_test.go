package systemtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/desk"
)

func TestDrain(t *testing.T) {
	w := start(t, map[string]string{"server.drain_delay": "300ms"})
	key := w.token(desk.Grant{})
	arrived, proceed := make(chan struct{}), make(chan struct{})
	w.backend.answer(func(rw http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-proceed
		fmt.Fprint(rw, "finished")
	})
	answer := make(chan reply, 1)
	go func() { answer <- w.get("/api/v1/test", key.JWT) }()
	<-arrived
	w.stop()
	w.eventually("not ready", func() bool { return w.in.Server.Ready() != nil })
	if r := w.get("/ready", ""); r.StatusCode != 503 || r.body != "shutting down" || !r.Close {
		t.Errorf("while draining: %d %q, close %v", r.StatusCode, r.body, r.Close)
	}
	close(proceed)
	if r := <-answer; r.body != "finished" {
		t.Errorf("what was under way ended with %d %q", r.StatusCode, r.body)
	}
	if err := w.end(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if line := w.log.find("msg", "shutting down"); line["serving_on_for"] != "300ms" {
		t.Errorf("the log says %v", line)
	}
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(w.url, "http://"), time.Second); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestDrainUnderLoad(t *testing.T) {
	w := start(t, map[string]string{"server.drain_delay": "300ms"})
	key := w.token(desk.Grant{Limit: 1_000_000})
	w.backend.answer(func(http.ResponseWriter, *http.Request) {})
	addr := strings.TrimPrefix(w.url, "http://")
	request := "GET /api/v1/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key.JWT + "\r\n\r\n"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					return // closed for good: a balancer has long looked elsewhere
				}
				in := bufio.NewReader(conn)
				for last := false; !last; {
					if _, err = io.WriteString(conn, request); err != nil {
						break
					}
					var res *http.Response
					if res, err = http.ReadResponse(in, nil); err != nil {
						break
					}
					res.Body.Close()
					if res.StatusCode != 200 {
						t.Errorf("status %d", res.StatusCode)
					}
					last = res.Close
				}
				conn.Close()
				if err != nil && !refused(addr) {
					t.Errorf("a request failed: %v", err)
					return
				}
			}
		})
	}
	w.eventually("some requests", func() bool { return len(w.backend.requests()) > 50 })
	w.stop()
	if err := w.end(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	wg.Wait()
}

// refused reports whether nobody listens any more. Whoever was still waiting to be
// taken when that began was not served.
func refused(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

// Who was taken as a client before the port closed has its request answered, though
// it comes only then.
func TestDrainAnswersWhoIsConnected(t *testing.T) {
	ca := certtest.New(t)
	cert, key := ca.Issue(t, "the gateway", x509.ExtKeyUsageServerAuth, nil)
	for name, tt := range map[string]struct {
		options map[string]string
		dial    func(addr string) (net.Conn, error)
	}{
		"plain": {nil, func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }},
		"TLS": {map[string]string{"server.tls.cert": cert, "server.tls.key": key}, func(addr string) (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool()})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			options := map[string]string{"server.drain_delay": "100ms", "server_timeouts.readHeaderTimeout": "20s", "server.drain_timeout": "20s"}
			maps.Copy(options, tt.options)
			w := start(t, options)
			key := w.token(desk.Grant{})
			addr := w.in.Server.Addr().String()
			conn, err := tt.dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			w.stop()
			w.eventually("the port closes", func() bool { return refused(addr) })
			fmt.Fprintf(conn, "GET /api/v1/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", key.JWT)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r := w.readReply(res); r.StatusCode != 200 || !r.Close {
				t.Errorf("%d, close %t", r.StatusCode, r.Close)
			}
			if err := w.end(); err != nil {
				t.Errorf("serve ended with %v", err)
			}
		})
	}
}

// Requests that a leaky bucket holds back are ended by a drain, and others are not
// held back any more.
func TestDrainEndsWaiting(t *testing.T) {
	w := start(t, map[string]string{"server.drain_delay": "100ms", "server.drain_timeout": "20s"})
	key := w.token(desk.Grant{Limit: 1, Window: time.Hour, Algorithm: "leaky_bucket", MaxDelay: 24 * time.Hour})
	w.want(w.get("/api/v1/test", key.JWT), 200, "")
	answers := make(chan reply, 3)
	for range cap(answers) {
		go func() { answers <- w.get("/api/v1/test", key.JWT) }()
	}
	w.eventually("all are being held back", func() bool { return w.metric("tykctl_in_flight_requests") == "3" && len(w.backend.requests()) == 1 })
	w.stop()
	for range cap(answers) {
		r := <-answers
		w.want(r, 503, "overloaded")
		if after, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || after < 1 || !r.Close {
			t.Errorf("Retry-After %q, close %t", r.Header.Get("Retry-After"), r.Close)
		}
	}
	if err := w.end(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if n := len(w.backend.requests()); n != 1 {
		t.Errorf("the backend saw %d requests, want 1", n)
	}
}

func TestDrainClosesWebSockets(t *testing.T) {
	w := start(t, nil)
	key := w.token(desk.Grant{})
	w.backend.answer(func(rw http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		_, _, _ = c.Read(context.Background())
	})
	c, res, err := websocket.Dial(t.Context(), w.url+"/api/v1/test", &websocket.DialOptions{ //nolint:bodyclose // Dial has closed it
		HTTPHeader: http.Header{"Authorization": {"Bearer " + key.JWT}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if res.Header.Get("X-Ratelimit-Limit") == "" {
		t.Error("the answer does not say what is left of the limit")
	}
	w.stop()
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed with %v, want 1001", err)
	}
	if err := w.end(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
}
