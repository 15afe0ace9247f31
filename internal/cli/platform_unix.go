//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// onResize has c told when the terminal's size changes.
func onResize(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }

// openFiles is how many files this process may have open, connections
// included. Go has raised it to the most that the system allows.
func openFiles() (uint64, bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err == nil //nolint:unconvert // FreeBSD has it signed
}
