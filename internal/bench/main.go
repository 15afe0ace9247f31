// Command bench measures tykctl on this machine: what the limiter costs beside
// plain go-redis, and what a request costs beside other gateways that do the same
// work in the same minutes.
//
//	go run ./internal/bench limiter [-json FILE]
//	go run ./internal/bench memory
//	go run ./internal/bench gateway [-json FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// benches are the measurements, by the word that starts them.
var benches = map[string]func(ctx context.Context, args []string) error{
	"limiter": benchLimiter,
	"memory":  benchMemory,
	"gateway": benchGateway,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 || benches[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/bench limiter [-json FILE] | memory | gateway [-json FILE]")
		os.Exit(2)
	}
	err := benches[os.Args[1]](ctx, os.Args[2:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
