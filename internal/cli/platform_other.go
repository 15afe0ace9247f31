//go:build !unix

package cli

import "os"

// onResize does nothing: each tick looks at the size as well.
func onResize(chan<- os.Signal) {}

// outliveSignals does nothing: such signals come on Unix only.
func outliveSignals() <-chan os.Signal { return nil }

func openFiles() (uint64, bool) { return 0, false }
