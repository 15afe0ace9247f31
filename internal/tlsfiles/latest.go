// Package tlsfiles reads certificates, keys and authorities from files, reads them again
// when they change, and explains what is wrong with them or with a peer's certificate.
//
// It opens no connections and does not decide what is served to whom.
package tlsfiles

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// recheck is how often the files are checked for changes.
const recheck = time.Second

// Latest is a value loaded from files, and loaded again when they change. It is safe for
// concurrent use.
type Latest[T any] struct {
	load   func() (T, error)
	paths  []string
	logger *slog.Logger

	mu      sync.Mutex
	current T
	read    []stamp // of the files at the last attempt to load them
	checked time.Time
}

// stamp identifies a version of a file.
type stamp struct {
	modified time.Time
	size     int64
}

// Follow calls load and watches the files at paths. A path may be empty. The error is
// load's.
func Follow[T any](logger *slog.Logger, load func() (T, error), paths ...string) (*Latest[T], error) {
	l := &Latest[T]{load: load, paths: paths, logger: logger, checked: time.Now()}
	l.read = l.stamps()
	var err error
	l.current, err = load()
	return l, err
}

// Get returns the value of the files as of at most a second ago. If changed files cannot
// be loaded, it keeps the old value and logs the reason once.
func (l *Latest[T]) Get() T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.checked) < recheck {
		return l.current
	}
	l.checked = time.Now()
	stamps := l.stamps() // before load, so that a change in between is noticed next time
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
