// Package tlsfiles reads certificates, keys and authorities from files, reads them
// again when they change, and says in words what is wrong with them or with what a
// peer shows.
//
// It opens no connection. What is served, and to whom, is decided elsewhere.
package tlsfiles

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// recheck is how long files are taken to be unchanged.
const recheck = time.Second

// Latest is what files make, read again when they change. It is safe for concurrent
// use.
type Latest[T any] struct {
	load   func() (T, error)
	paths  []string
	logger *slog.Logger

	mu      sync.Mutex
	current T
	read    []stamp // when current was, or was last tried to be, made
	checked time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// Follow loads what the files at paths make. A path may be empty. The error is
// load's.
func Follow[T any](logger *slog.Logger, load func() (T, error), paths ...string) (*Latest[T], error) {
	l := &Latest[T]{load: load, paths: paths, logger: logger, checked: time.Now()}
	l.read = l.stamps()
	var err error
	l.current, err = load()
	return l, err
}

// Get returns what the files made at most a second ago. While they make nothing, it
// stays what it was, and the reason is logged once.
func (l *Latest[T]) Get() T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.checked) < recheck {
		return l.current
	}
	l.checked = time.Now()
	stamps := l.stamps() // before the files are read, so that a change in between is seen next time
	if slices.Equal(stamps, l.read) {
		return l.current
	}
	l.read = stamps
	next, err := l.load()
	if err != nil {
		l.logger.Error("cannot load the changed TLS files; the old ones stay in use", "err", err)
		return l.current
	}
	l.logger.Info("the changed TLS files are in use")
	l.current = next
	return next
}

func (l *Latest[T]) stamps() []stamp {
	all := make([]stamp, len(l.paths))
	for i, path := range l.paths {
		if info, err := os.Stat(path); err == nil {
			all[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return all
}
