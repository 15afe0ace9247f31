package server

import (
	"fmt"
	"runtime"
)

const (
	fewDescriptors  = 1024
	manyDescriptors = 1 << 20
	// ownFiles are for what every process has open, now or for a moment: the standard
	// streams, the poller, both listeners, certificates, /proc, DNS, Sentinels.
	ownFiles = 20
)

// Files is how the files that this process may have open, connections included, are
// shared out. Make one with [ShareFiles].
type Files struct {
	Limit       int // in all
	Connections int // of clients on the main port
	InFlight    int // requests, each of which may have a connection to the backend
	Metrics     int // connections to the metrics port
	Redis       int // connections to each Redis server
}

// ShareFiles shares out what the system allows. connections and inFlight are what the
// operator has set, 0 if nothing; then clients get a third of what Redis, the metrics
// and the process itself leave, requests in flight another one, and the last is for
// idle connections to the backend, of which both ways to it keep their own.
func ShareFiles(connections, inFlight int) Files {
	return shareFiles(descriptors(), connections, inFlight)
}

func shareFiles(limit, connections, inFlight int) Files {
	redis := max(limit/8, 8) // for all its servers
	f := Files{
		Limit:   limit,
		Metrics: min(max(limit/64, 4), 64),
		Redis:   min(max(redis/4, 4), 10*runtime.GOMAXPROCS(0)),
	}
	third := max((limit-ownFiles-redis-f.Metrics)/3, 1)
	f.Connections, f.InFlight = connections, inFlight
	if connections == 0 {
		f.Connections = third
	}
	if inFlight == 0 {
		f.InFlight = third
	}
	return f
}

// Warning says what is wrong with the shares and what to do; "" if nothing is.
func (f Files) Warning() string {
	const remedy = "raise the limit (ulimit -n, or LimitNOFILE= in systemd)"
	least := f.Connections + f.InFlight + ownFiles
	switch {
	case least > f.Limit:
		return fmt.Sprintf("server.max_connections and server.max_in_flight need at least %d open files, "+
			"but this process may open only %d: lower them, or %s", least, f.Limit, remedy)
	case f.Limit < fewDescriptors:
		return fmt.Sprintf("this process may open only %d files, so it serves at most %d clients at a time: %s", f.Limit, f.Connections, remedy)
	}
	return ""
}
