package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
)

// errFault is a panic on a request's way. The log has more, the client nothing.
var errFault = errors.New("the gateway panicked; the log has the stack")

// failed ends an exchange that panicked with p. It answers with 500 if no answer has
// begun, and reports false if one has and must be broken off.
func (g *Gateway) failed(out *recorder, r *http.Request, x *Exchange, adm *admission, p any) (whole bool) {
	x.Status, x.Reason, x.Err = http.StatusInternalServerError, ReasonInternal, errFault
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return false // whoever breaks an answer off so has said why
	}
	if g.Logger != nil {
		LogPanic(g.Logger, p, slog.String("request_id", x.Request.ID))
	}
	if out.begun {
		return false
	}
	h := out.Header()
	for name := range h { // they may belong to a backend's answer
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

// LogPanic logs a recovered panic at Error, with the stack of the goroutine that calls
// it, which must be the one that panicked. A value that the runtime made is logged by
// its text; of any other only the type is, since it may hold what a client sent.
func LogPanic(logger *slog.Logger, p any, attrs ...any) {
	text := fmt.Sprintf("a value of type %T", p)
	if err, ok := p.(runtime.Error); ok {
		text = err.Error()
	}
	logger.With(attrs...).Error("the gateway panicked: this is a bug, please report it",
		"panic", text, "stack", string(debug.Stack()))
}
