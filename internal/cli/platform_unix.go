//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// onResize has c told when the terminal's size changes.
func onResize(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }

// outliveSignals keeps signals that would end the program by default from doing so:
// SIGPIPE, when the reader of stderr has left, and those that ask a server to reload
// or to reopen its files. It returns the latter as they come.
func outliveSignals() <-chan os.Signal {
	signal.Ignore(syscall.SIGPIPE)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	return c
}

// openFiles is how many files this process may have open, connections
// included. Go has raised it to the most that the system allows.
func openFiles() (uint64, bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err == nil //nolint:unconvert // FreeBSD has it signed
}
