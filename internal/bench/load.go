package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// target is what is asked of one server.
type target struct {
	addr, path, token string
	status            int // the answer that is expected
}

// burst is what a closed loop of 64 connections got.
type burst struct {
	requests int64
	perSec   float64
}

var (
	wrkTotal  = regexp.MustCompile(`(\d+) requests in`)
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkErrors = regexp.MustCompile(`Socket errors: connect [1-9]|Socket errors:.*(read|write) [1-9]`) // late answers aside
	wrkBad    = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// wrk asks as fast as answers come, and fails when they are not those expected.
func wrk(ctx context.Context, t target, d time.Duration) (burst, error) {
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c64", "-d"+d.String(), //nolint:gosec // arguments of this bench's own
		"-H", "Authorization: Bearer "+t.token, "http://"+t.addr+t.path).CombinedOutput()
	if err != nil {
		return burst{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	var b burst
	total, rate := wrkTotal.FindSubmatch(out), wrkRate.FindSubmatch(out)
	if total == nil || rate == nil {
		return b, fmt.Errorf("wrk said something unexpected:\n%s", out)
	}
	b.requests, _ = strconv.ParseInt(string(total[1]), 10, 64)
	b.perSec, _ = strconv.ParseFloat(string(rate[1]), 64)
	var bad int64
	if m := wrkBad.FindSubmatch(out); m != nil {
		bad, _ = strconv.ParseInt(string(m[1]), 10, 64)
	}
	if (t.status < 300 && bad > 0) || (t.status >= 400 && bad != b.requests) || wrkErrors.Match(out) {
		return b, fmt.Errorf("%s: not every answer was %d:\n%s", t.path, t.status, out)
	}
	return b, nil
}

// latency is what answers took at a constant rate.
type latency struct {
	Median, P99 time.Duration
}

const steadyConns = 32

// steady asks rate times a second for d. An answer that is late counts from when
// its request was due, and not from when the one before let it be sent.
func steady(ctx context.Context, t target, rate int, d time.Duration) (latency, error) {
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	interval := time.Second * steadyConns / time.Duration(rate)
	begin := time.Now().Add(50 * time.Millisecond)
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	for i := range steadyConns {
		wg.Go(func() {
			took, err := ask(ctx, t, begin.Add(interval*time.Duration(i)/steadyConns), interval, int(d/interval))
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, took...), errors.Join(failed, err)
		})
	}
	wg.Wait()
	if failed != nil || len(all) == 0 {
		return latency{}, fmt.Errorf("constant rate: %d answers, %w", len(all), failed)
	}
	slices.Sort(all)
	return latency{Median: all[len(all)/2], P99: all[len(all)*99/100]}, nil
}

func ask(ctx context.Context, t target, due time.Time, interval time.Duration, n int) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	request := []byte("GET " + t.path + " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + t.token + "\r\n\r\n")
	in := bufio.NewReader(conn)
	took := make([]time.Duration, 0, n)
	for range n {
		start := due
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			start = time.Now() // a sleep that lasts too long is not the server's
		}
		if _, err := conn.Write(request); err != nil {
			return took, err
		}
		if err := readAnswer(in, t.status); err != nil {
			return took, err
		}
		took = append(took, time.Since(start))
		due = due.Add(interval)
	}
	return took, nil
}

// readAnswer reads an answer of declared length.
func readAnswer(in *bufio.Reader, status int) error {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 "+strconv.Itoa(status))) {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) <= 2 {
			_, err = io.CopyN(io.Discard, in, int64(length))
			return err
		}
		if name, value, _ := strings.Cut(string(line), ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
}
