package term

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// notes is a view that writes down what it is told.
type notes struct{ told []string }

func (n *notes) Show(used int) error {
	n.told = append(n.told, fmt.Sprint("saw ", used))
	return nil
}
func (n *notes) Away(error) { n.told = append(n.told, "away") }
func (n *notes) Resize()    { n.told = append(n.told, "resize") }
func (n *notes) End()       { n.told = append(n.told, "end") }

func TestWatch(t *testing.T) {
	unavailable, unknown := errors.New("unavailable"), errors.New("unknown")
	away := fmt.Errorf("%w (timeout)", unavailable)
	for name, tt := range map[string]struct {
		looks []any // what each look sees: a number used, or an error
		want  string
		err   error
	}{
		"each tick":                 {[]any{1, 2, 3}, "saw 1, saw 2, saw 3, end", nil},
		"Redis goes and comes back": {[]any{1, away, away, 2}, "saw 1, away, away, saw 2, end", nil},
		"away from the start":       {[]any{away}, "end", unavailable},
		"no such key":               {[]any{unknown}, "end", unknown},
		"revoked while watched":     {[]any{1, unknown}, "saw 1, end", unknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				tick, n, v := make(chan time.Time), 0, &notes{}
				w := Watcher[int]{View: v, Tick: tick, Passing: func(err error) bool { return errors.Is(err, unavailable) }, Look: func(context.Context) (int, error) {
					saw := tt.looks[n]
					n++
					if err, failed := saw.(error); failed {
						return 0, err
					}
					return saw.(int), nil
				}}
				done := make(chan error, 1)
				go func() { done <- w.Run(ctx) }()
				for range tt.looks[1:] {
					synctest.Wait()
					tick <- time.Now()
				}
				synctest.Wait()
				stop()
				if err := <-done; !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if got := strings.Join(v.told, ", "); got != tt.want {
					t.Errorf("told %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// TestWatchIsNotHeldUp has Redis hang, while ticks, a resize and Ctrl-C come.
func TestWatchIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		tick, resized, hang, looks := make(chan time.Time), make(chan os.Signal), make(chan struct{}), 0
		v := &notes{}
		w := Watcher[int]{View: v, Tick: tick, Resized: resized, Look: func(context.Context) (int, error) {
			looks++
			<-hang
			return 0, nil
		}}
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		tick <- time.Now()
		resized <- os.Interrupt
		tick <- time.Now()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := strings.Join(v.told, ", "); got != "resize, end" || looks != 1 {
			t.Errorf("told %q after %d looks, want one look and no answer", got, looks)
		}
		close(hang)
	})
}

func TestListing(t *testing.T) {
	var errs bytes.Buffer
	l := &Listing[int]{Err: &errs, Print: func(int) error { return nil }}
	away := errors.New("redis is unavailable")
	l.Away(away)
	l.Away(away)
	_ = l.Show(0)
	l.Away(away)
	if want := strings.Repeat("tykctl: redis is unavailable; trying again\n", 2); errs.String() != want {
		t.Errorf("%q, want %q", errs.String(), want)
	}
}
