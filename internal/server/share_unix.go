//go:build unix

package server

import "syscall"

// descriptors returns how many files this process may open.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fewDescriptors
	}
	return int(min(limit.Cur, manyDescriptors))
}
