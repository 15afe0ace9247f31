//go:build unix && !linux

package redistest

import "syscall"

// dieWithParent is Linux's alone: elsewhere a test binary that is killed leaves
// its server behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
