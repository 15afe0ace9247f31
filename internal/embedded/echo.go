package embedded

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Echo is a backend on a free loopback port that responds with the request it received,
// like traefik/whoami.
type Echo struct {
	server   *http.Server
	listener net.Listener
}

// StartEcho starts an Echo, which runs until Close.
func StartEcho() (*Echo, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &Echo{listener: l, server: &http.Server{
		Handler:           http.HandlerFunc(echo),
		ReadHeaderTimeout: 5 * time.Second,
	}}
	go func() { _ = e.server.Serve(l) }() // ends with Close
	return e, nil
}

// URL returns the backend's address.
func (e *Echo) URL() string { return "http://" + e.listener.Addr().String() }

// Close stops the backend.
func (e *Echo) Close() { _ = e.server.Close() }

func echo(w http.ResponseWriter, r *http.Request) {
	// Plain text that browsers must not sniff: the client controls the content.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "unknown"
	}
	fmt.Fprintf(w, "Hostname: %s\n", hostname)
	for _, ip := range addresses() {
		fmt.Fprintf(w, "IP: %s\n", ip)
	}
	//nolint:gosec // see the headers above
	fmt.Fprintf(w, "RemoteAddr: %s\n%s %s %s\nHost: %s\n", r.RemoteAddr, r.Method, r.RequestURI, r.Proto, r.Host)
	_ = r.Header.Write(w) // the client may be gone
}

func addresses() []string {
	var ips []string
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			ips = append(ips, n.IP.String())
		}
	}
	return ips
}
