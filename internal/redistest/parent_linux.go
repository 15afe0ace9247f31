package redistest

import "syscall"

// dieWithParent has the kernel kill the server when the test binary dies before
// its cleanups run, as after a time-out.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
