package upstream

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// unhurried is the total time of waiting for a client before its rate counts.
const unhurried = 10 * time.Second

// bodyRate measures how fast a client sends. Only the time spent waiting for the client
// counts, so a slow backend does not make the client look slow.
type bodyRate struct {
	least  atomic.Int64  // in bytes a second; 0 is no minimum
	came   int64         // bytes
	waited time.Duration // for them
}

// leastRate exempts gRPC: a stream may be silent while the backend sends.
func leastRate(r *http.Request, o *Options) int64 {
	if types := r.Header["Content-Type"]; r.ProtoMajor == 2 && len(types) == 1 && strings.HasPrefix(types[0], "application/grpc") {
		return 0
	}
	return o.MinBodyRate
}

// took records that n bytes came after a wait. The error says that the average rate is
// too low.
func (b *bodyRate) took(n int, wait time.Duration) error {
	b.came, b.waited = b.came+int64(n), b.waited+wait
	least := b.least.Load()
	if b.waited >= unhurried && float64(b.came) < float64(least)*b.waited.Seconds() {
		return fmt.Errorf("%w: send at least %d bytes a second", ErrBodyTimeout, least)
	}
	return nil
}
