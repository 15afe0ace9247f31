package telemetry

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/muesli/termenv"
)

// RequestMessage is the message of the access log's line for a request.
const RequestMessage = "request"

// requestHandler writes the access log's lines for people, and leaves all others to the
// embedded handler, which needs more time for a line than a whole request takes. On a
// terminal a request is one line of at most 100 columns; elsewhere it is every field as
// key=value, in the embedded handler's format.
type requestHandler struct {
	slog.Handler
	w        io.Writer
	terminal bool
	colour   bool
}

// Handle implements [slog.Handler].
func (h *requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != RequestMessage || h.colour && !h.terminal {
		return h.Handler.Handle(ctx, r)
	}
	buf := linePool.Get().(*[]byte)
	defer linePool.Put(buf)
	line := r.Time.AppendFormat((*buf)[:0], consoleTime)
	if h.terminal {
		line = appendColumns(line, r, h.colour)
	} else {
		line = appendFields(line, r)
	}
	*buf = append(line, '\n')
	_, err := h.w.Write(*buf)
	return err
}

var linePool = sync.Pool{New: func() any { return new(make([]byte, 0, 512)) }}

// appendFields writes a record's level, message and fields.
func appendFields(line []byte, r slog.Record) []byte {
	line = append(line, ' ')
	line = append(line, r.Level.String()[:4]...)
	line = append(append(line, ' '), r.Message...)
	r.Attrs(func(a slog.Attr) bool {
		line = append(append(append(line, ' '), a.Key...), '=')
		line = appendValue(line, a.Value)
		return true
	})
	return line
}

func appendValue(line []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(line, v.Int64(), 10)
	case slog.KindFloat64:
		return strconv.AppendFloat(line, v.Float64(), 'g', -1, 64)
	}
	s := v.String()
	if s != "" && !strings.ContainsFunc(s, quotable) {
		return append(line, s...)
	}
	return strconv.AppendQuote(line, s)
}

// quotable reports whether a value that contains r must be quoted.
func quotable(r rune) bool {
	return r == '"' || r == '=' || r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r)
}

// The columns of a request on a terminal.
const (
	columns     = 100
	columnsTime = 9  // of a duration such as 12345.6ms
	columnsWho  = 15 // of an IPv4 address; a key's hash is shorter
	columnsLong = 24 // of an IPv6 address, at most
	columnsPath = 16 // of a method and a path, at least
	columnsErr  = 19 // of an error, at least; it loses its beginning, which is the least precise
)

// request contains what a line on a terminal shows.
type request struct {
	status                                     int64
	took                                       float64 // ms
	reason, method, path, client, key, id, err string
}

// appendColumns writes one request for people: status, duration, client, method and
// path, and, if there is room, why it was refused and its ID.
func appendColumns(line []byte, r slog.Record, colour bool) []byte {
	var q request
	r.Attrs(func(a slog.Attr) bool {
		q.take(a)
		return true
	})
	who := q.key
	if who == "" {
		who = cut(q.client, columnsLong)
	}
	width := utf8.RuneCountInString(who)
	line = appendStatus(append(line, ' '), q.status, colour)
	took := strconv.AppendFloat(make([]byte, 0, 24), q.took, 'f', 1, 64)
	line = append(appendBlanks(line, 1+columnsTime-2-len(took)), took...)
	line = append(append(line, "ms "...), who...)
	line = appendBlanks(line, columnsWho-width)

	room := columns - len(consoleTime) - len(" 200 ") - max(columnsTime, len(took)+2) - len(" ") - max(columnsWho, width) - len(" ")
	var tail, err string
	if q.reason != "ok" {
		tail = " " + q.reason
	}
	left := room - len(tail)
	if q.err != "" {
		err = printable(q.err)
		left -= min(len(err), columnsErr) + 1
	}
	asked := cut(printable(q.method+" "+q.path), max(left, columnsPath))
	line = append(append(append(line, ' '), asked...), tail...)
	room -= utf8.RuneCountInString(asked) + len(tail)
	if err != "" && room > 1 {
		if len(err) > room-1 {
			err = "…" + err[len(err)-(room-2):]
		}
		line = append(append(line, ' '), err...)
		room -= utf8.RuneCountInString(err) + 1
	}
	if room > len(q.id) {
		line = append(append(line, ' '), q.id...)
	}
	return line
}

// take reads a field.
func (q *request) take(a slog.Attr) {
	switch a.Key {
	case "status":
		q.status = a.Value.Int64()
	case "ours_ms", "upstream_ms", "redis_ms", "delayed_ms": // their sum is the total
		q.took += a.Value.Float64()
	case "reason":
		q.reason = a.Value.String()
	case "method":
		q.method = a.Value.String()
	case "path":
		q.path = a.Value.String()
	case "client":
		q.client = a.Value.String()
	case "key":
		q.key = a.Value.String()
	case "request_id":
		q.id = a.Value.String()
	case "err":
		q.err = a.Value.String()
	}
}

// appendStatus colours a status by its class.
func appendStatus(line []byte, status int64, colour bool) []byte {
	if !colour {
		return strconv.AppendInt(line, status, 10)
	}
	code := termenv.ANSIGreen
	switch {
	case status >= 500:
		code = termenv.ANSIRed
	case status >= 400:
		code = termenv.ANSIYellow
	case status >= 300:
		code = termenv.ANSICyan
	}
	line = append(append(append(line, termenv.CSI...), code.Sequence(false)...), 'm')
	line = strconv.AppendInt(line, status, 10)
	return append(append(append(line, termenv.CSI...), termenv.ResetSeq...), 'm')
}

func appendBlanks(line []byte, n int) []byte {
	for range n {
		line = append(line, ' ')
	}
	return line
}

// cut shortens s, which is printable ASCII, to at most so many columns.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most-1] + "…"
}

// printable escapes s, so that each byte takes one column.
func printable(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			quoted := strconv.QuoteToASCII(s)
			return quoted[1 : len(quoted)-1]
		}
	}
	return s
}
