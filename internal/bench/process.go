package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under measurement, with the children it forks.
type process struct {
	name string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// launch starts a program and waits until addr takes connections.
func launch(ctx context.Context, name, addr string, env []string, argv ...string) (*process, error) {
	p := &process{name: name}
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the programs are this bench's own list
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 2 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr); err == nil {
			return p, conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not listen on %s:\n%s", name, addr, p.out.String())
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // its exit code is no part of the measurement
}

// pids are the process and its children: nginx works in those.
func (p *process) pids() []int {
	root := p.cmd.Process.Pid
	pids := []int{root}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if fields := statFields(path); len(fields) > 1 && fields[1] == strconv.Itoa(root) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// clockTick is USER_HZ, which Linux fixes at 100 for user space.
const clockTick = 10 * time.Millisecond

// cpu is the user and system time used so far.
func (p *process) cpu() time.Duration {
	var ticks int64
	for _, pid := range p.pids() {
		fields := statFields(fmt.Sprintf("/proc/%d/stat", pid))
		if len(fields) < 13 {
			continue
		}
		for _, text := range fields[11:13] { // utime, stime
			n, _ := strconv.ParseInt(text, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick
}

// statFields are those of proc_pid_stat(5) from the third on: the second is a
// name in parentheses that may hold blanks.
func statFields(path string) []string {
	raw, err := os.ReadFile(path) //nolint:gosec // a path under /proc
	if err != nil {
		return nil
	}
	text := string(raw)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}

// rss is the resident memory in MiB.
func (p *process) rss() float64 {
	var kib float64
	for _, pid := range p.pids() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				n, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
				kib += n
			}
		}
	}
	return kib / 1024
}

// freeAddr is a loopback address whose port is free now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// need finds a program or says how to get it.
func need(program, debian string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		// Debian keeps servers outside an ordinary user's PATH.
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			return "", fmt.Errorf("%s is not installed (Debian: apt-get install %s)", program, debian)
		}
	}
	return path, nil
}
