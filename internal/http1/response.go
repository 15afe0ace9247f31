package http1

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	writeBuffer = 4 << 10
	// fewFields is the most fields of an ordinary header. A map that has held more is
	// not reused, because it never shrinks.
	fewFields = 64
)

// response writes the responses of a connection, one after the other. A response
// without a declared Content-Length is chunked, unless it has no body. The content type
// is not guessed.
type response struct {
	conn   *conn
	header http.Header
	names  []string // in the last response's header, in order
	out    []byte   // bytes not yet written to the connection
	err    error    // of the connection; errAnswered between two responses

	status   int   // 0 before WriteHeader
	length   int64 // of the body, as declared; unknown if below 0
	written  int64
	bodiless bool     // no body follows, whatever the handler writes
	framed   bool     // the header is complete
	chunked  bool     // framed, and the body is chunked
	last     bool     // this is the last request
	trailers []string // announced names
	trailing bool     // there may be trailers, which need chunks
	hurried  bool     // a write deadline may be set
}

const unknown = -1

var errAnswered = errors.New("http1: write after the handler returned")

func (w *response) begin() {
	if w.hurried {
		_ = w.conn.SetWriteDeadline(time.Time{}) // or the next write fails
	}
	*w = response{
		conn: w.conn, header: w.header, names: w.names, out: outs.Get().(*[writeBuffer]byte)[:0],
		length: unknown, last: w.conn.r.Close,
	}
}

// outs are the buffers of responses: an idle connection needs none.
var outs = sync.Pool{New: func() any { return new([writeBuffer]byte) }}

// giveBack returns the buffer to the pool, unless it was replaced by a larger one.
func (w *response) giveBack() {
	if cap(w.out) == writeBuffer {
		outs.Put((*[writeBuffer]byte)(w.out[:writeBuffer]))
	}
	w.out = nil
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. It sends the header fields as they are.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("http1: invalid status %d", status))
	case status < http.StatusOK && status != http.StatusSwitchingProtocols:
		w.inform(status)
		return
	}
	w.status = status
	w.bodiless = w.conn.r.Method == http.MethodHead || forbidsBody(status)
	w.startLine(status)
	w.fields(status)
	if w.last || w.conn.r.body.remains() || w.conn.server.closing.Load() {
		w.last = true
		w.field("Connection", "close")
	}
	switch {
	case w.length >= 0 && status != http.StatusNotModified:
		w.out = append(w.out, "Content-Length: "...)
		w.out = append(strconv.AppendInt(w.out, w.length, 10), "\r\n"...)
		w.closeHeader()
	case w.bodiless:
		w.closeHeader()
	case w.trailing:
		w.startChunks()
	}
}

// inform sends an interim response with all current fields.
func (w *response) inform(status int) {
	w.startLine(status)
	for _, name := range w.sorted() {
		if name != "Content-Length" && name != "Transfer-Encoding" {
			w.field(name, w.header[name]...)
		}
	}
	w.out = append(w.out, "\r\n"...)
	w.send()
}

func (w *response) startLine(status int) {
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(append(w.out, ' '), http.StatusText(status)...)
	w.out = append(w.out, "\r\n"...)
}

// fields writes the header fields except those that say where the response ends, which
// it evaluates.
func (w *response) fields(status int) {
	dated := false
	for _, name := range w.sorted() {
		values := w.header[name]
		switch name {
		case "Content-Length":
			w.declare(status, values)
			continue
		case "Connection":
			w.last = w.last || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "close") })
			continue
		case "Transfer-Encoding":
			continue // ours to choose
		case "Content-Type":
			if status == http.StatusNotModified {
				continue // as net/http has it
			}
		case "Trailer":
			if !w.bodiless {
				w.announce(values)
			}
		case "Date":
			dated = true
		}
		if strings.HasPrefix(name, http.TrailerPrefix) {
			w.trailing = true
			continue
		}
		w.field(name, values...)
	}
	if !dated {
		w.field("Date", date())
	}
}

// sorted returns the header's names in order. They are usually those of the last
// response.
func (w *response) sorted() []string {
	missing := func(name string) bool {
		_, ok := w.header[name]
		return !ok
	}
	if len(w.names) != len(w.header) || slices.ContainsFunc(w.names, missing) {
		w.names = w.names[:0]
		for name := range w.header {
			w.names = append(w.names, strings.Clone(name)) // not the whole string it is part of
		}
		slices.Sort(w.names)
	}
	return w.names
}

// declare takes the length that the handler declares, if it is valid.
func (w *response) declare(status int, values []string) {
	if len(values) == 0 || status < http.StatusOK || status == http.StatusNoContent {
		return
	}
	if n, ok := parseLength(values[0]); ok {
		w.length = n
	}
}

func (w *response) announce(values []string) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); httpguts.ValidTrailerHeader(name) {
				w.trailers, w.trailing = append(w.trailers, name), true
			}
		}
	}
}

// field writes one field, whatever bytes the handler put into it.
func (w *response) field(name string, values ...string) {
	if !httpguts.ValidHeaderFieldName(name) {
		return
	}
	for _, value := range values {
		if !httpguts.ValidHeaderFieldValue(value) {
			value = blanked(value)
		}
		w.out = append(append(w.out, name...), ": "...)
		w.out = append(append(w.out, value...), "\r\n"...)
	}
}

// blanked replaces the bytes that no value may contain with spaces.
func blanked(value string) string {
	b := []byte(value)
	for i := range b {
		if !httpguts.ValidHeaderFieldValue(value[i : i+1]) {
			b[i] = ' '
		}
	}
	return string(b)
}

func (w *response) closeHeader() {
	w.out = append(w.out, "\r\n"...)
	w.framed = true
}

func (w *response) startChunks() {
	w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	w.closeHeader()
	w.chunked = true
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case forbidsBody(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.bodiless:
		return len(p), nil
	case len(p) == 0:
		return 0, w.err
	case w.length >= 0 && int64(len(p)) > w.length-w.written:
		return 0, http.ErrContentLength
	case !w.framed:
		w.startChunks()
	}
	w.written += int64(len(p))
	if !w.chunked {
		w.put(p)
	} else {
		w.out = append(strconv.AppendInt(w.out, int64(len(p)), 16), "\r\n"...)
		w.put(p)
		w.out = append(w.out, "\r\n"...)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// put appends p to the buffer and writes what does not fit.
func (w *response) put(p []byte) {
	if room := writeBuffer - len(w.out); len(p) > room {
		room = max(room, 0)
		w.out = append(w.out, p[:room]...)
		w.send()
		if p = p[room:]; len(p) >= writeBuffer {
			w.write(p)
			return
		}
	}
	w.out = append(w.out, p...)
}

// send writes the buffer.
func (w *response) send() {
	w.write(w.out)
	w.out = w.out[:0]
}

func (w *response) write(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	if _, w.err = w.conn.Write(p); w.err != nil {
		w.conn.r.ctx.gone()
	}
}

// FlushError is what [http.ResponseController] calls.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.framed {
		w.startChunks()
	}
	w.send()
	return w.err
}

// Flush implements [http.Flusher].
func (w *response) Flush() { _ = w.FlushError() }

// SetReadDeadline is for [http.ResponseController].
func (w *response) SetReadDeadline(t time.Time) error { return w.conn.setReadDeadline(t) }

// SetWriteDeadline is for [http.ResponseController].
func (w *response) SetWriteDeadline(t time.Time) error {
	w.hurried = true
	return w.conn.SetWriteDeadline(t)
}

// EnableFullDuplex is for [http.ResponseController]; it is always on.
func (w *response) EnableFullDuplex() error { return nil }

// finish ends the response. It reports whether another may follow on the connection.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case !w.framed:
		w.out = append(w.out, "Content-Length: 0\r\n"...)
		w.closeHeader()
	case w.chunked:
		w.out = append(w.out, "0\r\n"...)
		w.writeTrailers()
		w.out = append(w.out, "\r\n"...)
	}
	w.send()
	w.giveBack()
	if clear(w.header); len(w.names) > fewFields {
		w.header, w.names = http.Header{}, nil
	}
	short := w.length >= 0 && !w.bodiless && w.written < w.length
	ok := w.err == nil
	w.err = errAnswered // for a writer that is still active
	return ok && !w.last && !short
}

func (w *response) writeTrailers() {
	for _, name := range w.sorted() {
		if trailer, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			w.field(trailer, w.header[name]...)
		}
	}
	for _, name := range w.trailers {
		w.field(name, w.header[name]...)
	}
}

// abort leaves the response incomplete, so that the client sees that it was cut off.
func (w *response) abort() {
	if w.framed {
		w.send()
	}
	w.giveBack()
	w.err = errAnswered
}

// forbidsBody reports whether a response with this status never has a body (RFC 9110,
// 6.4.1).
func forbidsBody(status int) bool {
	return status < http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified
}

// date returns the current date in the form of RFC 9110, 5.6.7.
func date() string {
	now := time.Now().Unix()
	if d := latest.Load(); d != nil && d.second == now {
		return d.text
	}
	d := &dated{now, time.Unix(now, 0).UTC().Format(http.TimeFormat)}
	latest.Store(d)
	return d.text
}

type dated struct {
	second int64
	text   string
}

var latest atomic.Pointer[dated]
