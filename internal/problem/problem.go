// Package problem writes refusals as application/problem+json (RFC 9457).
//
// It knows the shape of the answer and nothing of why one is given: which
// error becomes which problem is decided in one table, in package gateway.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// docs is where each code is explained; the code itself is the fragment.
const docs = "https://github.com/tykctl/tykctl#"

// maxInstance bounds how much of a refused target is repeated in the answer.
const maxInstance = 256

// Problem is one refusal as the client reads it.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
}

// New describes a refusal. The type is a link to the code's explanation, the
// title the status text of RFC 9110, and the instance the path that was asked
// for, cut to 256 bytes.
func New(status int, code, detail, path, requestID string) Problem {
	return Problem{
		Type:      docs + code,
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    detail,
		Instance:  path[:min(len(path), maxInstance)],
		Code:      code,
		RequestID: requestID,
	}
}

// Write sends p with its status. Headers set on w beforehand are sent with it.
// The answer must not be cached: the next request may well be let through.
func (p Problem) Write(w http.ResponseWriter) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	body = append(body, '\n')

	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, err = w.Write(body)
	return err
}
