//go:build unix

package upstream

import (
	"errors"
	"syscall"
)

// nothingToRead looks at a socket without waiting and without taking anything.
func nothingToRead(fd uintptr) bool {
	var one [1]byte
	_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return errors.Is(err, syscall.EAGAIN)
}
