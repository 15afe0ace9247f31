package upstream

import (
	"errors"
	"io"
	"net/http"
	"os"
)

const (
	// inlineBody is the largest body that is sent with the header, in one write and
	// without a goroutine. It is read before anything is sent to the backend.
	inlineBody = 8 << 10
	// interim is how many interim responses (1xx) may precede the final one.
	interim = 16
)

// exchange sends a plain request and streams the response to w, in the caller's
// goroutine. A longer body has its own goroutine, because the response may come first.
func (u *Upstream) exchange(w http.ResponseWriter, r *http.Request, out *Outgoing) (status int, err error) {
	var b *body
	var short []byte // a body that is sent with the header
	if r.ContentLength != 0 {
		b = newBody(w, r, &u.opts, out.Received)
	}
	if 0 < r.ContentLength && r.ContentLength <= inlineBody && len(r.Trailer) == 0 {
		// Read before taking a connection: a slow client must not hold one while the
		// backend may close it as idle.
		piece := borrowPiece()
		defer pieces.Put(piece)
		short = piece[:r.ContentLength]
		if _, err := io.ReadFull(b, short); err != nil {
			return 0, classify(r.Context(), err, b.verdict(r.Context()))
		}
		b = nil
	}
	for c := u.pool.take(); ; c = nil {
		if c == nil {
			if c, err = u.pool.connect(r.Context()); err != nil {
				return 0, classify(r.Context(), err, nil)
			}
		}
		status, err = u.try(c, w, r, out, short, b)
		if !errors.Is(err, errStale) {
			return status, err
		}
	}
}

// errStale means that the backend had closed a connection before it saw the request,
// so that the request may be retried on another one.
var errStale = errors.New("the backend had closed the connection")

// try does one exchange on c, and then returns c to the pool or closes it.
func (u *Upstream) try(
	c *conn, w http.ResponseWriter, r *http.Request, out *Outgoing, short []byte, b *body,
) (status int, err error) {
	c.begin(r.Context(), &u.opts)
	err = u.sendRequest(c, r, out, short, b)
	var a answer
	if err == nil {
		a, err = u.awaitAnswer(c, w, r)
	}
	up := c.upload
	if err != nil {
		stale := c.reused && !c.heard && replayable(r) && r.Context().Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded)
		err = classify(r.Context(), err, b.verdict(r.Context())) // before the context ends with the upload
		up.abandon()
		c.finish()
		_ = c.Close() // the exchange has failed already
		if stale {
			err = errStale
		}
		return 0, err
	}
	w.WriteHeader(a.status)
	if err = c.passBody(w, r.Method, &a); err != nil {
		err = cut(r.Context(), err, b.verdict(r.Context()))
	}
	whole := up.settle(err == nil)
	if c.finish() && err == nil && whole && a.endsBefore(r.Method) {
		u.pool.put(c, a.keep)
	} else {
		_ = c.Close() // it is not needed any more
	}
	return a.status, err
}

// endsBefore reports whether the response ends before its connection.
func (a *answer) endsBefore(method string) bool {
	return !a.close && (a.chunked || a.length >= 0 || bodiless(method, a.status))
}

// sendRequest sends the header and a short body, and starts to send a longer one.
func (u *Upstream) sendRequest(c *conn, r *http.Request, out *Outgoing, short []byte, b *body) error {
	c.out = append(u.appendHead(c.out[:0], r, out), short...)
	if err := c.sendHead(); err != nil || b == nil {
		return err
	}
	length := r.ContentLength
	if chunked(r) {
		length = unknown
	}
	c.startUpload(b, length)
	return nil
}

// awaitAnswer reads the backend's header into that of w, and forwards interim responses.
func (u *Upstream) awaitAnswer(c *conn, w http.ResponseWriter, r *http.Request) (answer, error) {
	h := w.Header()
	c.names = c.names[:0]
	for name := range h {
		c.names = append(c.names, name)
	}
	for range interim {
		head, err := c.readHead()
		if err != nil {
			return answer{}, err
		}
		a, err := c.parseHead(head)
		switch {
		case err != nil:
			return a, err
		case a.status == http.StatusSwitchingProtocols:
			return a, errSwitched
		case a.status >= http.StatusOK:
			c.beginBody()
			a.setHeader(h, c.names)
			a.finishHeader(h, r)
			if c.upload.remains() {
				closeAfter(h, r)
			}
			return a, nil
		case a.status != http.StatusContinue && r.ProtoAtLeast(1, 1):
			a.setHeader(h, c.names)
			w.WriteHeader(a.status)
			for _, f := range a.fields { // they belong to the interim response only
				if !isOwn(c.names, f.name) {
					delete(h, f.name)
				}
			}
		}
	}
	return answer{}, errTooEarly
}

// finishHeader keeps net/http from adding what the backend did not say.
func (a *answer) finishHeader(h http.Header, r *http.Request) {
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // or it would be guessed from the body
	}
	if a.status == http.StatusNoContent {
		delete(h, "Content-Length")
	}
	if a.trailers != "" && a.chunked && !bodiless(r.Method, a.status) {
		h["Trailer"] = []string{a.trailers[1:]}
	}
}

// closeAfter is for a response that comes before the end of its request: net/http would
// first wait for the rest.
func closeAfter(h http.Header, r *http.Request) {
	if r.ProtoMajor == 1 {
		h["Connection"] = []string{"close"}
	}
}
