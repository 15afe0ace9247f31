package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Trailers that a client declares arrive behind the body, over every way and however
// the body is framed.
func TestRequestTrailers(t *testing.T) {
	for wayName, w := range ways {
		for name, size := range map[string]int{"of unknown length": -1, "of declared length": 100, "long, of declared length": inlineBody + 1} {
			if size > 0 && w.front != "h2" && w.front != "tls" {
				continue // HTTP/1 has trailers behind chunks only
			}
			t.Run(wayName+", a body "+name, func(t *testing.T) {
				var announced, header, trailer http.Header
				var body string
				err := w.inBubble(t, nil, func(_ http.ResponseWriter, r *http.Request) {
					announced, header = r.Trailer.Clone(), r.Header.Clone()
					b, _ := io.ReadAll(r.Body)
					body, trailer = string(b), r.Trailer
				}, func(t *testing.T, c *http.Client) {
					sent := strings.Repeat("x", max(size, 100))
					r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://front/", io.MultiReader(strings.NewReader(sent)))
					if err != nil {
						t.Fatal(err)
					}
					r.ContentLength = int64(size)
					r.Trailer = http.Header{"X-Sum": {"5", "6"}, "X-Unsent": nil}
					res, err := c.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					res.Body.Close()
				})
				if err != nil || len(body) != max(size, 100) {
					t.Errorf("%v, %d bytes", err, len(body))
				}
				if _, ok := announced["X-Sum"]; !ok || announced.Get("X-Sum") != "" || header["X-Sum"] != nil {
					t.Errorf("announced: %v, header: %v", announced, header)
				}
				if strings.Join(trailer["X-Sum"], "|") != "5|6" || trailer["X-Unsent"] != nil {
					t.Errorf("trailer: %v", trailer)
				}
			})
		}
	}
}

// A trailer that the backend was not told of is not kept from it in silence.
func TestTrailersThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		declared, sent string
		want           error
	}{
		"not declared":             {"X: y", "X-Sum: 5", ErrTrailer},
		"not declared with others": {"Trailer: X-Other", "X-Other: 1\r\nX-Sum: 5", ErrTrailer},
		"forged":                   {"X: y", "X-Request-Id: forged", ErrTrailer},
		"with a control character": {"Trailer: X-Sum", "X-Sum: a\x01b", ErrBody},
		"with a CR":                {"Trailer: X-Sum", "X-Sum: a\rX-Request-Id: forged", ErrBody},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(t *testing.T, path string) {
				rest := make(chan string, 1)
				s := newScript(t, func(p *peer) {
					p.request()
					all, _ := io.ReadAll(p.in)
					rest <- string(all)
				})
				f := newFront(t, path, s.addr)
				client := f.dial(t, request("PUT", "Transfer-Encoding: chunked", tt.declared)+"4\r\nbody\r\n0\r\n"+tt.sent+"\r\n\r\n")
				if got := f.outcome(t).err; !errors.Is(got, ErrBody) || !errors.Is(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
				if _, body, err := client.answer(t, "PUT"); err != nil || !strings.Contains(body, "X-Sum") && !strings.Contains(body, "X-Request-Id") {
					t.Errorf("%q, %v", body, err)
				}
				if got := <-rest; strings.Contains(got, "0\r\n") {
					t.Errorf("the backend takes the body for complete: %q", got)
				}
			})
		})
	}
}
