package upstream

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// unhurried is how long a client is waited for in all before its rate counts.
const unhurried = 10 * time.Second

// bodyRate measures how fast a client sends. Only the time in which it is waited for
// counts, so a backend that takes its time does not make the client slow.
type bodyRate struct {
	least  atomic.Int64  // in bytes a second; 0 is any
	came   int64         // bytes
	waited time.Duration // for them
}

// leastRate is none for gRPC, whose streams may be silent while the backend speaks.
func leastRate(r *http.Request, o *Options) int64 {
	if types := r.Header["Content-Type"]; r.ProtoMajor == 2 && len(types) == 1 && strings.HasPrefix(types[0], "application/grpc") {
		return 0
	}
	return o.MinBodyRate
}

// took takes in that n bytes came after a wait. The error says that the average of all
// that came is below the least rate.
func (b *bodyRate) took(n int, wait time.Duration) error {
	b.came, b.waited = b.came+int64(n), b.waited+wait
	least := b.least.Load()
	if b.waited >= unhurried && float64(b.came) < float64(least)*b.waited.Seconds() {
		return fmt.Errorf("%w: send at least %d bytes a second", ErrBodyTimeout, least)
	}
	return nil
}
