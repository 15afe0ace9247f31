package embedded

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRedisClockRuns(t *testing.T) {
	r, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	client := redis.NewClient(&redis.Options{Addr: r.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Set(t.Context(), "k", "v", 100*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for client.Exists(t.Context(), "k").Val() == 1 {
		select {
		case <-late:
			t.Fatal("the key never expires")
		case <-tick.C:
		}
	}
	now, err := client.Time(t.Context()).Result()
	if err != nil || time.Since(now).Abs() > time.Hour {
		t.Errorf("it is %v there, %v", now, err)
	}
}

func TestEchoSaysWhatItWasAsked(t *testing.T) {
	e, err := StartEcho()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	req, err := http.NewRequestWithContext(t.Context(), "PUT", e.URL()+"/a%20b?c=d", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Asked", "yes")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Hostname: ", "\nIP: 127.0.0.1\n", "\nRemoteAddr: 127.0.0.1:", "\nPUT /a%20b?c=d HTTP/1.1\n", "\nHost: 127.0.0.1:", "\nX-Asked: yes\r\n"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
