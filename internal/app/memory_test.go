package app

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestGroupMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  int64 // 0: none
	}{
		"no control groups": {fstest.MapFS{}, 0},
		"version 1":         {fstest.MapFS{"proc/self/cgroup": file("5:memory:/x\n1:cpu:/x")}, 0},
		"a container":       {fstest.MapFS{"proc/self/cgroup": file("0::/"), "sys/fs/cgroup/memory.max": file("67108864")}, 67108864},
		"no limit":          {fstest.MapFS{"proc/self/cgroup": file("0::/"), "sys/fs/cgroup/memory.max": file("max")}, 0},
		"a service, whose slice has less": {fstest.MapFS{
			"proc/self/cgroup": file("0::/system.slice/tykctl.service"), "sys/fs/cgroup/system.slice/tykctl.service/memory.max": file("300"),
			"sys/fs/cgroup/system.slice/memory.max": file("200"),
		}, 200},
		"named from outside": {fstest.MapFS{
			"proc/self/cgroup": file("0::/kubepods/pod1/abc"), "sys/fs/cgroup/memory.max": file("100"),
		}, 100},
	} {
		if got, ok := groupMemory(tt.files); got != tt.want || ok != (tt.want > 0) {
			t.Errorf("%s: %d, %t, want %d", name, got, ok, tt.want)
		}
	}
}

func TestOperatorTunesTheCollector(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
	small := fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("1000000000\n")},
	}
	for _, tt := range []struct {
		env     map[string]string
		percent int
		limit   int64
	}{
		{map[string]string{"GOGC": "50", "GOMEMLIMIT": "2GiB"}, 100, math.MaxInt64},
		{nil, collectAt, 900_000_000},
	} {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
		TuneCollector(func(name string) string { return tt.env[name] }, small)
		if got := debug.SetGCPercent(100); got != tt.percent {
			t.Errorf("%v: GOGC %d, want %d", tt.env, got, tt.percent)
		}
		if got := debug.SetMemoryLimit(-1); got != tt.limit {
			t.Errorf("%v: GOMEMLIMIT %d, want %d", tt.env, got, tt.limit)
		}
	}
}
