package http1

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

// A timer may end what was derived from a request's context when that is over. The
// connection, which is idle then, must not be watched for it: two would read from it.
func TestAContextIsAskedTooLate(t *testing.T) {
	contexts := make(chan context.Context, 1)
	_, addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { contexts <- r.Context() }, nil)
	c := dial(t, addr, "")
	for range 2 {
		c.send(get)
		c.answer("GET")
		ctx := <-contexts
		select {
		case <-ctx.Done():
		default:
			t.Error("it has not ended")
		}
		if err := ctx.Err(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		derived, cancel := context.WithCancel(ctx)
		if derived.Err() == nil {
			t.Error("what is derived from it has not ended")
		}
		cancel()
	}
}
