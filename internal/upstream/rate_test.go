package upstream

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// dripping is a client that sends so many bytes each time, and the writer on which
// its deadline is set.
type dripping struct {
	http.ResponseWriter
	bytes    int
	every    time.Duration
	deadline time.Time
}

func (d *dripping) SetReadDeadline(t time.Time) error {
	d.deadline = t
	return nil
}

func (d *dripping) Read(p []byte) (int, error) {
	wait := d.every
	late := !d.deadline.IsZero() && time.Until(d.deadline) < wait
	if late {
		wait = time.Until(d.deadline)
	}
	time.Sleep(wait)
	if late {
		return 0, os.ErrDeadlineExceeded
	}
	return min(d.bytes, len(p)), nil
}

// A body that drips is ended when its average, from the tenth second on, is too low.
func TestLeastRateOfABody(t *testing.T) {
	const second = time.Second
	for name, tt := range map[string]struct {
		rate      int64
		bytes     int
		every     time.Duration
		change    func(*http.Request, *body)
		lives     time.Duration // 0 is for long
		readEvery time.Duration // by the backend
	}{
		"any rate":                      {rate: 0, bytes: 1, every: second},
		"too slow":                      {rate: 100, bytes: 1, every: second, lives: 10 * second},
		"just fast enough":              {rate: 100, bytes: 100, every: second},
		"in pieces too far apart":       {rate: 100, bytes: 1500, every: 20 * second, lives: 20 * second},
		"in pieces that last":           {rate: 100, bytes: 1000, every: 9 * second},
		"a little too slow":             {rate: 100, bytes: 50, every: second, lives: 10 * second},
		"a backend that is slow itself": {rate: 100, bytes: 100, every: second, readEvery: 20 * second},
		"a stall":                       {rate: 1, bytes: 1000, every: 31 * second, lives: 30 * second},
		"a stall without a least rate":  {rate: 0, bytes: 1000, every: 31 * second, lives: 30 * second},
		"gRPC, which may be silent":     {rate: 100, bytes: 1, every: second, change: grpcOver(2)},
		"no gRPC over HTTP/1":           {rate: 100, bytes: 1, every: second, change: grpcOver(1), lives: 10 * second},
		"a conversation that has begun ": {rate: 100, bytes: 1, every: 50 * second, change: func(_ *http.Request, b *body) {
			if b != nil {
				b.converse()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &dripping{ResponseWriter: httptest.NewRecorder(), bytes: tt.bytes, every: tt.every}
				r := httptest.NewRequest("POST", "/", io.NopCloser(client))
				if tt.change != nil {
					tt.change(r, nil)
				}
				b := newBody(client, r, &Options{BodyTimeout: 30 * second, MinBodyRate: tt.rate}, nil)
				if tt.change != nil {
					tt.change(r, b)
				}
				begun := time.Now()
				var err error
				for err == nil && time.Since(begun) < time.Hour {
					_, err = b.Read(make([]byte, pieceSize))
					time.Sleep(tt.readEvery)
				}
				if lived := time.Since(begun); (err == nil) != (tt.lives == 0) || err != nil && lived != tt.lives {
					t.Errorf("it ends after %v: %v", lived, err)
				}
				if err == nil {
					return
				}
				if fault := classify(t.Context(), err, b.fault()); !errors.Is(fault, ErrBodyTimeout) {
					t.Errorf("it is %v", fault)
				}
			})
		})
	}
}

func grpcOver(version int) func(*http.Request, *body) {
	return func(r *http.Request, _ *body) {
		r.ProtoMajor = version
		r.Header.Set("Content-Type", "application/grpc+proto")
	}
}
