package cli

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

	"github.com/tykctl/tykctl/internal/storage"
)

// notes is a view that writes down what it is told.
type notes struct{ told []string }

func (n *notes) show(u usageReport) error {
	n.told = append(n.told, fmt.Sprint("used ", u.Used))
	return nil
}
func (n *notes) away(error) { n.told = append(n.told, "away") }
func (n *notes) resize()    { n.told = append(n.told, "resize") }
func (n *notes) end()       { n.told = append(n.told, "end") }

func TestWatch(t *testing.T) {
	away := fmt.Errorf("%w (timeout)", storage.ErrUnavailable)
	for name, tt := range map[string]struct {
		looks []any // what each look sees: a number used, or an error
		want  string
		err   error
	}{
		"each tick":                    {[]any{1, 2, 3}, "used 1, used 2, used 3, end", nil},
		"Redis goes and comes back":    {[]any{1, away, away, 2}, "used 1, away, away, used 2, end", nil},
		"Redis is away from the start": {[]any{away}, "end", storage.ErrUnavailable},
		"no such key":                  {[]any{storage.ErrUnknown}, "end", storage.ErrUnknown},
		"revoked while watched":        {[]any{1, storage.ErrUnknown}, "used 1, end", storage.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				tick, n, v := make(chan time.Time), 0, &notes{}
				w := watcher[usageReport]{view: v, tick: tick, look: func(context.Context) (usageReport, error) {
					saw := tt.looks[n]
					n++
					if err, failed := saw.(error); failed {
						return usageReport{}, err
					}
					return usageReport{Used: int64(saw.(int))}, nil
				}}
				done := make(chan error, 1)
				go func() { done <- w.run(ctx) }()
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
		w := watcher[usageReport]{view: v, tick: tick, resized: resized, look: func(context.Context) (usageReport, error) {
			looks++
			<-hang
			return usageReport{}, nil
		}}
		done := make(chan error, 1)
		go func() { done <- w.run(ctx) }()
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
	l := &listing[usageReport]{err: &errs, print: func(usageReport) error { return nil }}
	away := errors.New("redis is unavailable")
	l.away(away)
	l.away(away)
	_ = l.show(usageReport{})
	l.away(away)
	if want := strings.Repeat("tykctl: redis is unavailable; trying again\n", 2); errs.String() != want {
		t.Errorf("%q, want %q", errs.String(), want)
	}
}
