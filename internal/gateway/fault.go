package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
)

// errFault stands for a panic. The log says more; the client learns nothing of it.
var errFault = errors.New("the gateway panicked; the log has the stack")

// failed ends an exchange that panicked with p. It responds with 500 if no response
// has begun; otherwise it reports false, and the response must be cut off.
func (g *Gateway) failed(out *recorder, r *http.Request, x *Exchange, adm *admission, p any) (whole bool) {
	x.Status, x.Reason, x.Err = http.StatusInternalServerError, ReasonInternal, errFault
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return false // whoever aborts a response this way has said why
	}
	if g.Logger != nil {
		LogPanic(g.Logger, p, slog.String("request_id", x.Request.ID))
	}
	if out.begun {
		return false
	}
	h := out.Header()
	for name := range h { // they may belong to the backend's response
		if name != "Connection" {
			delete(h, name)
		}
	}
	out.setHeader(&x.Request, adm)
	if r.ProtoMajor == 1 { // something may still be reading the request's body
		h["Connection"] = []string{"close"}
	}
	x.Status, x.Reason = g.refuse(out, r, &x.Request, errFault)
	return true
}

// LogPanic logs a recovered panic at level Error, with the stack of the calling
// goroutine, which must be the one that panicked. It logs the text of the runtime's
// own errors, and only the type of any other value, which may contain client data.
func LogPanic(logger *slog.Logger, p any, attrs ...any) {
	text := fmt.Sprintf("a value of type %T", p)
	if err, ok := p.(runtime.Error); ok {
		text = err.Error()
	}
	logger.With(attrs...).Error("the gateway panicked: this is a bug, please report it",
		"panic", text, "stack", string(debug.Stack()))
}
