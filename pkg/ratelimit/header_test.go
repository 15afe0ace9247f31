package ratelimit

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestDecisionSetHeader(t *testing.T) {
	minute := Limit{Permits: 10, Window: time.Minute}
	sliding := Limit{Algorithm: SlidingWindow, Permits: 10, Window: time.Minute}
	bucket := Limit{Algorithm: TokenBucket, Permits: 10, Window: time.Minute, Burst: 20}
	queue := Limit{Algorithm: LeakyBucket, Permits: 10, Window: time.Minute, MaxDelay: 10 * time.Second}
	tests := []struct {
		name     string
		decision Decision
	}{
		{"granted", Decision{Limit: minute, Granted: 1, Remaining: 7, Reset: 41*time.Second + 1}},
		{"refused", Decision{Limit: minute, Reset: 42 * time.Second, RetryAfter: 42 * time.Second}},
		{"refused-at-the-end", Decision{Limit: minute, Reset: time.Nanosecond, RetryAfter: time.Nanosecond}},
		{"refused-without-a-time", Decision{Limit: minute}},
		{"granted-in-part", Decision{Limit: minute, Granted: 2, Reset: time.Second, RetryAfter: time.Second}},
		{"sliding-granted", Decision{Limit: sliding, Granted: 1, Remaining: 3, Reset: 100 * time.Second, More: 50 * time.Second}},
		{"sliding-refused", Decision{Limit: sliding, Reset: 100 * time.Second, More: 7500 * time.Millisecond, RetryAfter: 7500 * time.Millisecond}},
		{"bucket-granted", Decision{Limit: bucket, Granted: 1, Remaining: 9, Reset: 65*time.Second + 1, More: 5*time.Second + 1}},
		{"bucket-refused", Decision{Limit: bucket, Reset: 2 * time.Minute, More: 5*time.Second + 1, RetryAfter: 5*time.Second + 1}},
		{"refused-without-more", Decision{Limit: bucket, Reset: 2 * time.Minute, RetryAfter: 5*time.Second + 1}},
		{"refused-with-more-later", Decision{Limit: bucket, Reset: 2 * time.Minute, More: 8 * time.Second, RetryAfter: 5 * time.Second}},
		{"queue-granted", Decision{Limit: queue, Granted: 1, Remaining: 1, Reset: 12 * time.Second, More: 5 * time.Second, Delay: 6 * time.Second}},
		{"queue-refused", Decision{Limit: queue, Reset: 14 * time.Second, More: 4 * time.Second, RetryAfter: 4 * time.Second}},
		{"largest", Decision{Limit: Limit{Permits: MaxPermits, Window: 24 * time.Hour}, Granted: 1, Remaining: MaxPermits - 1, Reset: 24 * time.Hour}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			tt.decision.SetHeader(h)
			var got bytes.Buffer
			if err := h.Write(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name, got.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "header", name+".golden")
	got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("header is\n%s\nwant\n%s", got, want)
	}
}

func TestSetHeaderSpelledDiffersInCaseAlone(t *testing.T) {
	d := Decision{Limit: Limit{Permits: 10, Window: time.Minute}, Reset: time.Second, RetryAfter: time.Second}
	got, want := http.Header{}, http.Header{}
	d.SetHeaderSpelled(got)
	d.SetHeader(want)
	for _, name := range []string{"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
		if values := got[name]; len(values) != 1 || values[0] != want.Get(name) {
			t.Errorf("%s: %q, want %q", name, values, want.Get(name))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d fields, want %d", len(got), len(want))
	}
}

func TestSetHeaderReplacesAndIsFoundByGet(t *testing.T) {
	h := http.Header{}
	h.Set("RateLimit", "from elsewhere")
	h.Set("X-RateLimit-Limit", "from elsewhere")
	Decision{Limit: Limit{Permits: 10, Window: time.Minute}, Remaining: 3, Reset: time.Second}.SetHeader(h)

	for name, want := range map[string]string{
		"RateLimit-Policy":      `"default";q=10;w=60`,
		"RateLimit":             `"default";r=3;t=1`,
		"X-RateLimit-Limit":     "10",
		"X-RateLimit-Remaining": "3",
		"X-RateLimit-Reset":     "1",
		"Retry-After":           "1",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q alone", name, got, want)
		}
	}
}

// The values share one array: adding to a field must not run into the next.
func TestSetHeaderValuesAreApart(t *testing.T) {
	h := http.Header{}
	Decision{Limit: Limit{Permits: 10, Window: time.Minute}, Granted: 1}.SetHeader(h)
	before := fmt.Sprint(h["X-Ratelimit-Remaining"])
	h.Add("X-RateLimit-Limit", "20")
	if got := fmt.Sprint(h["X-Ratelimit-Remaining"]); got != before {
		t.Errorf("after an Add to its neighbour the field is %s, want %s", got, before)
	}
}

func BenchmarkSetHeader(b *testing.B) {
	d := Decision{Limit: Limit{Permits: 1000, Window: time.Minute}, Granted: 1, Remaining: 421, Reset: 42 * time.Second}
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		d.SetHeader(h)
	}
}
