package problem

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "1")
	if err := New(503, "store_unavailable", "It did not answer.", "/a", "id-1").Write(w); err != nil {
		t.Fatal(err)
	}
	want := `{"type":"https://github.com/tykctl/tykctl#store_unavailable","title":"Service Unavailable",` +
		`"status":503,"detail":"It did not answer.","instance":"/a","code":"store_unavailable","request_id":"id-1"}` + "\n"
	if got := w.Body.String(); got != want {
		t.Errorf("body:\n got %s want %s", got, want)
	}
	for name, want := range map[string]string{
		"Content-Type":   "application/problem+json",
		"Content-Length": strconv.Itoa(len(want)),
		"Cache-Control":  "no-store",
		"Retry-After":    "1",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w.Code != 503 {
		t.Errorf("status %d, want 503", w.Code)
	}
}

func TestInstanceIsBounded(t *testing.T) {
	p := New(414, "too_large", "", "/"+strings.Repeat("a", 10_000), "id")
	if len(p.Instance) != maxInstance {
		t.Errorf("instance has %d bytes, want %d", len(p.Instance), maxInstance)
	}
}
