package registry

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/storage"
)

// Facts are what an operator should know of the Redis in use.
type Facts struct {
	Servers []Server      // the one server, or the masters of the Cluster, by address
	Cluster bool          // whether Redis is used as a Cluster
	Latency time.Duration // of a round trip, the median of a few
	Ahead   time.Duration // by which its clock is before this host's; negative if behind
	Unsure  time.Duration // by which Ahead may be wrong, either way

	Denied  []string // what the user may not do of what is needed: a command, and on which names
	Refuses string   // the kind of error by which it refuses to write; "" if it does not
}

// Server is one server, as it tells itself. A field that it does not tell is
// zero: its user may not be allowed to ask.
type Server struct {
	Addr        string
	Version     string
	Role        string // master or slave
	Mode        string // standalone, cluster or sentinel
	MaxMemory   int64  // bytes; 0 is no bound
	Eviction    string // maxmemory-policy
	Persistence Persistence
}

// Persistence is how a server keeps its data.
type Persistence struct {
	Known     bool   // whether the rest is
	AppendLog bool   // appendonly
	Snapshots string // the times of save; "" for none
	Failed    bool   // the last write to disk
}

// samples is how many round trips are timed.
const samples = 5

// Examine asks Redis about itself and tries what its user may do, without
// changing anything. The error is [storage.ErrUnavailable]. Cost: some ten round trips.
func (r *Registry) Examine(ctx context.Context) (Facts, error) {
	if err := r.store.Ping(ctx); err != nil && !meetsRights(err) {
		return Facts{}, err
	}
	f := Facts{}
	r.time(ctx, &f)
	r.tryRights(ctx, &f)
	f.Servers, f.Cluster = r.servers(ctx), r.store.At().Cluster != nil
	if err := ctx.Err(); err != nil {
		return Facts{}, r.store.Fault(err)
	}
	return f, nil
}

// meetsRights reports whether a PING was refused by a server that lets its user in, so
// that the trial of rights shows why.
func meetsRights(err error) bool {
	return errors.Is(err, storage.ErrRefused) && !storage.AtSentinel(err) && storage.Kind(err) != "noauth"
}

// time compares clocks. The shortest of the round trips says most about the
// offset: Redis answered somewhere within it.
func (r *Registry) time(ctx context.Context, f *Facts) {
	var trips []time.Duration
	for range samples {
		sent := time.Now()
		there, err := r.store.At().Client.Time(ctx).Result()
		if err != nil {
			return // the trial of rights tells why
		}
		trip := time.Since(sent)
		if len(trips) == 0 || trip < slices.Min(trips) {
			f.Ahead, f.Unsure = there.Sub(sent.Add(trip/2)), trip/2
		}
		trips = append(trips, trip)
	}
	slices.Sort(trips)
	f.Latency = trips[samples/2]
}

func (r *Registry) servers(ctx context.Context) []Server {
	at := r.store.At()
	cluster := at.Cluster
	if cluster == nil {
		addr := strings.Join(r.opts.Addrs, ",")
		if c, ok := at.Client.(*redis.Client); ok && r.opts.MasterName == "" {
			addr = c.Options().Addr
		}
		return []Server{askServer(ctx, at.Client, addr)}
	}
	var (
		one     sync.Mutex
		servers []Server
	)
	_ = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		s := askServer(ctx, master, master.Options().Addr)
		one.Lock()
		defer one.Unlock()
		servers = append(servers, s)
		return nil
	})
	slices.SortFunc(servers, func(a, b Server) int { return strings.Compare(a.Addr, b.Addr) })
	return servers
}

// askServer takes from INFO what is there. CONFIG alone tells of snapshots; where
// it may not be asked, what is known without it may still do.
func askServer(ctx context.Context, node redis.Cmdable, addr string) Server {
	s := Server{Addr: addr}
	text, err := node.Info(ctx).Result()
	if err != nil {
		return s
	}
	info := map[string]string{}
	for scan := bufio.NewScanner(strings.NewReader(text)); scan.Scan(); {
		if name, value, ok := strings.Cut(scan.Text(), ":"); ok {
			info[name] = value
		}
	}
	s.Version, s.Role, s.Mode = info["redis_version"], info["role"], info["redis_mode"]
	s.Eviction = info["maxmemory_policy"]
	s.MaxMemory, _ = strconv.ParseInt(info["maxmemory"], 10, 64)

	p := &s.Persistence
	p.AppendLog = info["aof_enabled"] == "1"
	for _, name := range []string{"rdb_last_bgsave_status", "aof_last_write_status"} {
		p.Failed = p.Failed || info[name] == "err"
	}
	saves, err := node.ConfigGet(ctx, "save").Result()
	p.Snapshots = saves["save"]
	p.Known = p.AppendLog || err == nil
	return s
}
