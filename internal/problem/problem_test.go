package problem

import (
	"encoding/json"
	"net/http"
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

// What a problem says is what encoding/json would have made of it, whatever it holds.
func FuzzWrite(f *testing.F) {
	f.Add("It did not answer.", "/\u2028", "\u00e9")
	for c := range 256 {
		f.Add("", "/"+string([]byte{byte(c)}), "id")
	}
	f.Fuzz(func(t *testing.T, detail, path, id string) {
		p := New(429, "rate_limited", detail, path, id)
		want, err := json.Marshal(struct {
			Type      string `json:"type"`
			Title     string `json:"title"`
			Status    int    `json:"status"`
			Detail    string `json:"detail"`
			Instance  string `json:"instance"`
			Code      string `json:"code"`
			RequestID string `json:"request_id"`
		}{docs + p.Code, http.StatusText(p.Status), p.Status, p.Detail, p.Instance, p.Code, p.RequestID})
		if got := p.appendJSON(nil); err != nil || string(got) != string(want)+"\n" {
			t.Errorf("%s, want %s, %v", got, want, err)
		}
	})
}
