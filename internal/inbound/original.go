package inbound

import (
	"fmt"
	"net/http"
	"strings"
)

// authPath is where proxies ask for a decision, if Options.ForwardAuth is set.
const authPath = "/auth"

func isAuthPath(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return path == authPath
}

// originals are the fields in which proxies send the method and the target of the
// original request: nginx by convention, Traefik by default.
var originals = [...]struct{ method, target string }{
	{"X-Original-Method", "X-Original-Uri"},
	{"X-Forwarded-Method", "X-Forwarded-Uri"},
}

// original reads the request that a proxy asks about. It refuses fields of both
// conventions: the client would have sent one of them, and the proxy passed it on.
func (from origin) original(header http.Header) (method, target string, err error) {
	if !from.trusted {
		return "", "", fmt.Errorf("%w: only a peer in application.trusted_proxies may use %s", ErrUntrusted, authPath)
	}
	found := false
	for _, names := range originals {
		methods, targets := header[names.method], header[names.target]
		switch {
		case methods == nil && targets == nil:
			continue
		case found || len(methods) != 1 || len(targets) != 1:
			return "", "", fmt.Errorf("%w: the original request needs exactly one method header and one target header", ErrMalformed)
		}
		found, method, target = true, methods[0], targets[0]
	}
	if !found {
		return "", "", fmt.Errorf("%w: the header with the original method, %s or %s, is missing", ErrMalformed, originals[0].method, originals[1].method)
	}
	return method, target, nil
}
