package app

import (
	"io/fs"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// collectAt is the growth of the heap, in per cent, at which the collector runs. By
	// Go's default of 100 it would run ten times a second on a heap as small as ours, and
	// each run delays the requests beside it by a millisecond.
	collectAt = 400
	// heapShare is the part of a container's memory, in per cent, from which on it runs
	// as often as it must to stay below.
	heapShare = 90
)

// TuneCollector has the collector run less often, but keep within the memory that the
// control group allows. The operator's own GOGC and GOMEMLIMIT count instead. root is
// the file system.
func TuneCollector(getenv func(string) string, root fs.FS) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if limit, ok := groupMemory(root); ok && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 100 * heapShare)
	}
}

// groupMemory is the least memory, in bytes, that this process's control group (version
// 2) and those around it may use. It reports false if they may use any.
func groupMemory(root fs.FS) (least int64, ok bool) {
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	group, found := strings.CutPrefix(strings.TrimSpace(string(own)), "0::/")
	if !found {
		return 0, false
	}
	for {
		text, err := fs.ReadFile(root, path.Join("sys/fs/cgroup", group, "memory.max"))
		if err == nil { // it may also be named from outside a container, which sees its own part only
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err == nil && (!ok || n < least) { // else it says "max"
				least, ok = n, true
			}
		}
		if group == "" || group == "." {
			return least, ok
		}
		group = path.Dir(group)
	}
}
