package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/storage"
)

// manyRecords are more keys than any memory of the ledger's holds.
const manyRecords = 1_000_000

// benchMemory measures what a process grows to that has settled a request of each
// of a million keys, with every memory of keys at its default size and in use.
func benchMemory(ctx context.Context, _ []string) error {
	server, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	const chunk = 10_000
	for first := 0; first < manyRecords; first += chunk {
		pipe := server.client.Pipeline()
		for i := first; i < first+chunk; i++ {
			key := memoryKey(i)
			pipe.Set(ctx, "token:"+key, strings.Replace(sampleRecord, "Q2hhcmFjdGVyc09mQUtleQ", key, 1), 0)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	store := storage.Open(storage.Options{
		Addrs: []string{server.client.Options().Addr}, Timeout: 5 * time.Second, Prefix: "token:", CacheSize: manyKeys,
		DefaultLimit: spent,
	})
	defer func() { _ = store.Close() }()
	book := ledger.New(store, ledger.Options{CacheSize: manyKeys, Local: true, Grace: time.Minute, Instances: 1})

	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range manyCallers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < manyRecords && failed.Load() == nil; i = next.Add(1) - 1 {
				if _, err := book.Take(ctx, memoryKey(int(i)), func(*storage.Record) error { return nil }); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	fmt.Printf("%d keys: %.0f MiB resident, %.0f MiB from the system, %.0f MiB in use (target: ≤ 250 MiB)\n",
		manyRecords, resident(), float64(mem.Sys)/(1<<20), float64(mem.HeapInuse)/(1<<20))
	return nil
}

func memoryKey(i int) string { return fmt.Sprintf("bench-key-%012d", i) }

// resident is this process's memory in MiB, 0 where the system does not tell.
func resident() float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib / 1024
		}
	}
	return 0
}
