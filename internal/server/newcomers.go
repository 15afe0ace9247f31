package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// newcomers are the connections of net/http's server, by client address, that have not
// yet reached the handler. After [http.Server.Shutdown] the server would close them
// without a response when their first request arrives.
type newcomers struct{ addrs sync.Map }

// note is for [http.Server.ConnState].
func (n *newcomers) note(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		n.addrs.Store(c.RemoteAddr().String(), nil)
	case http.StateClosed, http.StateHijacked:
		n.addrs.Delete(c.RemoteAddr().String())
	}
}

// served is for the handler.
func (n *newcomers) served(r *http.Request) { n.addrs.Delete(r.RemoteAddr) }

func (n *newcomers) none() bool {
	none := true
	n.addrs.Range(func(any, any) bool {
		none = false
		return false
	})
	return none
}

// glance is how often await checks for newcomers.
const glance = 10 * time.Millisecond

// await waits until there are none, for at most the time-out of a header. It checks
// only after a while, because a connection accepted just now may not be noted yet.
func (n *newcomers) await(ctx context.Context, header time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, header)
	defer cancel()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n.none() {
			return
		}
	}
}
