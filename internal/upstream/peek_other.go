//go:build !unix

package upstream

// nothingToRead cannot tell here: a stale connection shows at its first use.
func nothingToRead(uintptr) bool { return true }
