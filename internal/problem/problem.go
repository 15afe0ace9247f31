// Package problem writes refusals as application/problem+json (RFC 9457).
//
// It knows the format and not the reasons: one table in package gateway decides
// which error becomes which problem.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// docs is the page that explains each code; the code is the fragment.
const docs = "https://github.com/tykctl/tykctl#"

// maxInstance limits how many bytes of a refused path the response repeats.
const maxInstance = 256

// Problem is one refusal as the client reads it. Its type links to the explanation of
// the code; its title is the status text of RFC 9110.
type Problem struct {
	Status    int
	Code      string // letters and underscores
	Detail    string
	Instance  string
	RequestID string
}

// New describes a refusal. The instance is the requested path, cut to 256 bytes.
func New(status int, code, detail, path, requestID string) Problem {
	return Problem{status, code, detail, path[:min(len(path), maxInstance)], requestID}
}

// Write sends p with its status, and with the header fields already set on w. It
// forbids caching, because the next request may pass.
func (p Problem) Write(w http.ResponseWriter) error {
	body := p.appendJSON(make([]byte, 0, 512))
	h := w.Header()
	values := []string{"application/problem+json", strconv.Itoa(len(body)), "no-store"}
	for i, name := range [...]string{"Content-Type", "Content-Length", "Cache-Control"} {
		h[name] = values[i : i+1 : i+1]
	}
	w.WriteHeader(p.Status)
	_, err := w.Write(body)
	return err
}

// appendJSON appends p as JSON, without reflection: refusals may come in floods.
func (p Problem) appendJSON(b []byte) []byte {
	b = append(append(b, `{"type":"`+docs...), p.Code...)
	b = append(append(b, `","title":"`...), http.StatusText(p.Status)...)
	b = strconv.AppendInt(append(b, `","status":`...), int64(p.Status), 10)
	b = appendText(append(b, `,"detail":`...), p.Detail)
	b = appendText(append(b, `,"instance":`...), p.Instance)
	b = append(append(b, `,"code":"`...), p.Code...)
	b = appendText(append(b, `","request_id":`...), p.RequestID)
	return append(b, "}\n"...)
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	if strings.ContainsFunc(s, escaped) {
		quoted, _ := json.Marshal(s) // a string always can be
		return append(b, quoted...)
	}
	return append(append(append(b, '"'), s...), '"')
}

// escaped reports whether r must be escaped; the special characters of HTML are, too.
func escaped(r rune) bool {
	return r < ' ' || r > '~' || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&'
}
