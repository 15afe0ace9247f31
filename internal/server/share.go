package server

import (
	"fmt"
	"runtime"
)

const (
	fewDescriptors  = 1024
	manyDescriptors = 1 << 20
	// ownFiles covers what the process itself has open, permanently or briefly: the
	// standard streams, the poller, both listeners, certificates, /proc, DNS, Sentinels.
	ownFiles = 20
)

// Files says how the process divides the files that it may open, connections included.
// Make one with [ShareFiles].
type Files struct {
	Limit       int // the total
	Connections int // of clients on the main port
	InFlight    int // requests, each of which may have a connection to the backend
	Metrics     int // connections to the metrics port
	Redis       int // connections to each Redis server
}

// ShareFiles divides the files that the system allows. connections and inFlight are the
// operator's settings, 0 if unset. By default, after Redis, the metrics and the process
// itself have their share, clients get a third of the rest, requests in flight another
// third, and idle connections to the backend the last: both HTTP clients keep some.
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

// Warning says what is wrong with the shares and what to do; "" if nothing is wrong.
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
