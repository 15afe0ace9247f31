//go:build unix

package redistest

import (
	"strings"
	"sync"
)

// A logBuffer is written by the goroutine that copies the server's output and
// read by the test.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string { return b.From(0) }

// From returns what was written after the first n bytes.
func (b *logBuffer) From(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()[n:]
}

func (b *logBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Len()
}
