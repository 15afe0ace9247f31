package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

const (
	uploadMiB = 200
	idleConns = 10_000
)

// memory notes by how much a fresh gateway grows during a large upload, and with
// idle connections that have each made a request.
func (f *field) memory(ctx context.Context, growth map[string]float64) (err error) {
	// nginx answers an upload before it has read it; this backend reads it whole.
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer sink.Close()
	f.gateway.stop()
	if f.gateway, err = f.launchGateway(ctx, "TYK_PROX_APPLICATION__TARGET_HOST="+sink.URL,
		"TYK_PROX_SERVER__MAX_CONNECTIONS="+strconv.Itoa(idleConns+100)); err != nil {
		return err
	}
	before := f.gateway.rss()
	peak, err := f.upload(ctx)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	growth[fmt.Sprintf("growth during an upload of %d MiB", uploadMiB)] = peak - before

	before = f.gateway.rss()
	conns := make([]net.Conn, 0, idleConns)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for range idleConns {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", f.gatewayAddr)
		if err != nil {
			return fmt.Errorf("idle connections: %w", err)
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			return err
		}
		if err := readAnswer(bufio.NewReader(c), 200); err != nil {
			return err
		}
	}
	growth[fmt.Sprintf("growth with %d idle connections", len(conns))] = f.gateway.rss() - before
	return nil
}

// upload sends a body and returns the gateway's largest memory meanwhile.
func (f *field) upload(ctx context.Context) (peak float64, err error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", f.gatewayAddr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		route, f.token, uploadMiB<<20)
	piece := make([]byte, 1<<20)
	for range uploadMiB {
		if _, err := conn.Write(piece); err != nil {
			return 0, err
		}
		peak = max(peak, f.gateway.rss())
	}
	return peak, readAnswer(bufio.NewReader(conn), 200)
}
