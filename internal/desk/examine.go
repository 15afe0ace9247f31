package desk

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

// Finding is what one check found. Its JSON form is fixed for scripts.
type Finding struct {
	Check  string  `json:"check"`
	Result Outcome `json:"result"`
	Detail string  `json:"detail"`
	Advice string  `json:"advice,omitempty"` // what to do about it
}

// Outcome says how bad a finding is.
type Outcome string

// The outcomes, from good to bad.
const (
	Fine    Outcome = "ok"
	Warning Outcome = "warn" // it serves, but not as it should
	Failure Outcome = "fail" // it does not serve
)

// OK is a finding that needs no advice.
func OK(check, detail string) Finding { return Finding{check, Fine, detail, ""} }

// Warn is a finding that leaves the gateway serving.
func Warn(check, detail, advice string) Finding {
	return Finding{check, Warning, detail, advice}
}

// Fail is a finding that stops the gateway from serving.
func Fail(check, detail, advice string) Finding {
	return Finding{check, Failure, detail, advice}
}

// What the doctor holds things against.
const (
	redisMajor     = 7               // the scripts read the clock and then write
	slowShare      = 4               // a round trip beyond this part of redis.timeout is slow
	clockTolerance = 1 * time.Second // tokens end by the gateway's clock, in whole seconds
	secretBits     = 100             // by entropy; 16 random bytes in hexadecimal are worth 117 or so
	manyFiles      = 4096
)

// JudgeSecret judges how random a secret looks. name and origin go before and after
// what is found; the secret itself does not appear.
func JudgeSecret(name, secret, origin, advice string) Finding {
	if bits := entropy(secret); bits < secretBits {
		return Warn("secret", fmt.Sprintf("%sit does not look random: about %.0f bits of entropy, want %d", name, bits, secretBits), advice)
	}
	return OK("secret", fmt.Sprintf("%s%d bytes%s", name, len(secret), origin))
}

// entropy is the most that a text can be worth, in bits, by how often each of
// its bytes occurs (Shannon). Words are worth less; random bytes reach it.
func entropy(text string) float64 {
	var count [256]float64
	for i := range len(text) {
		count[text[i]]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			bits += n * math.Log2(float64(len(text))/n)
		}
	}
	return bits
}

// JudgeRedis judges what Redis says of itself. budget is redis.timeout, masterName is set
// for Sentinels, and rights are the ACL rules that its user needs.
func JudgeRedis(f registry.Facts, budget time.Duration, masterName, rights string) []Finding {
	return []Finding{
		worst(f.Servers, judgeServer),
		judgeTopology(f, masterName),
		judgeLatency(f.Latency, budget),
		judgeClock(f.Ahead, f.Unsure),
		worst(f.Servers, judgeEviction),
		worst(f.Servers, judgePersistence),
		judgeRights(f, rights),
	}
}

// worst is the finding of the server that is worst off, with its address when
// there are several.
func worst(servers []registry.Server, judge func(registry.Server) Finding) Finding {
	rank := map[Outcome]int{Fine: 0, Warning: 1, Failure: 2}
	var found Finding
	for i, s := range servers {
		f := judge(s)
		if len(servers) > 1 && f.Result != Fine && !strings.HasPrefix(f.Detail, s.Addr) {
			f.Detail = s.Addr + ": " + f.Detail
		}
		if i == 0 || rank[f.Result] > rank[found.Result] {
			found = f
		}
	}
	if len(servers) > 1 && found.Result == Fine {
		found.Detail += fmt.Sprintf(" (%d masters)", len(servers))
	}
	return found
}

func judgeServer(s registry.Server) Finding {
	var major int
	_, err := fmt.Sscanf(s.Version, "%d.", &major)
	switch {
	case s.Problem != nil:
		return Fail("redis", fmt.Sprintf("%s: %s", s.Addr, s.Problem), cmp.Or(storage.Advice(s.Problem), "start it, or see its log")+"; until then requests for its keys get 503")
	case err != nil:
		return Warn("redis", s.Addr+" answers, but does not report its version", "allow its user +info")
	case major < redisMajor:
		return Fail("redis", fmt.Sprintf("%s is version %s", s.Addr, s.Version), fmt.Sprintf("install Redis %d.0 or later", redisMajor))
	case s.Mode == "sentinel":
		return Fail("redis", s.Addr+" is a Sentinel", "set redis.master_name, or name the Redis server itself")
	case s.Role != "master":
		return Fail("redis", s.Addr+" is a replica, which refuses to write", "name its master, or the Sentinels with redis.master_name")
	}
	return OK("redis", fmt.Sprintf("%s answers: version %s, %s", s.Addr, s.Version, s.Mode))
}

// judgeTopology says as what Redis is used.
func judgeTopology(f registry.Facts, masterName string) Finding {
	const check = "topology"
	switch {
	case f.Cluster && slices.ContainsFunc(f.Servers, func(s registry.Server) bool { return s.FullCoverage }):
		return Warn(check, fmt.Sprintf("a Cluster; masters: %d. cluster-require-full-coverage is yes: while one master is gone and no replica has taken its place, keys on all masters get 503", len(f.Servers)),
			"set cluster-require-full-coverage to no on every node, by CONFIG SET and in redis.conf")
	case f.Cluster:
		return OK(check, fmt.Sprintf("a Cluster; masters: %d", len(f.Servers)))
	case len(f.Servers) == 1 && f.Servers[0].Mode == "cluster":
		return Fail(check, "it is a Cluster but is used as one server: keys on other nodes get 503", "set redis.cluster to auto")
	case masterName != "":
		return OK(check, "the master that the Sentinels report")
	}
	return OK(check, "one server")
}

func judgeLatency(trip, budget time.Duration) Finding {
	if trip == 0 {
		return Warn("latency", "not measured: Redis does not report its time", "see rights")
	}
	text := fmt.Sprintf("%.2f ms a round trip; redis.timeout is %s", float64(trip)/float64(time.Millisecond), budget)
	if trip > budget/slowShare {
		return Warn("latency", text, "move Redis closer, or raise redis.timeout: requests that wait longer get 503")
	}
	return OK("latency", text)
}

func judgeClock(ahead, unsure time.Duration) Finding {
	if unsure == 0 {
		return Warn("clock", "not compared: Redis does not report its time", "see rights")
	}
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	text := fmt.Sprintf("Redis is %.2f ms %s this host, ±%.2f ms", math.Abs(ahead.Seconds()*1000), word, unsure.Seconds()*1000)
	if ahead.Abs()-unsure > clockTolerance {
		return Warn("clock", text, "run NTP on both: limits use Redis's clock, and tokens expire by this host's")
	}
	return OK("clock", text)
}

func judgeEviction(s registry.Server) Finding {
	switch {
	case s.Problem != nil:
		return Warn("eviction", "not known: Redis does not report its maxmemory-policy now", "see redis")
	case s.Eviction == "":
		return Warn("eviction", "Redis does not report its maxmemory-policy", "allow its user +info, or check that it is noeviction")
	case s.Eviction == "noeviction":
		return OK("eviction", "maxmemory-policy is noeviction")
	case s.MaxMemory == 0:
		return OK("eviction", "maxmemory-policy is "+s.Eviction+", but memory is not limited")
	}
	return Warn("eviction", "maxmemory-policy is "+s.Eviction+": an evicted record is a revoked key", "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf")
}

func judgePersistence(s registry.Server) Finding {
	const check = "persistence"
	switch p := s.Persistence; {
	case s.Problem != nil:
		return Warn(check, "not known: Redis does not report how it keeps its data now", "see redis")
	case p.Failed:
		return Fail(check, "Redis could not save to its disk and may refuse writes", "see its log: the disk may be full")
	case p.AppendLog:
		return OK(check, "append-only file")
	case !p.Known:
		return Warn(check, "Redis does not report whether it takes snapshots", "allow its user +config|get, or check that it does")
	case p.Snapshots == "":
		return Warn(check, "none: after a restart every key is unknown", "CONFIG SET appendonly yes, and the same in redis.conf")
	default:
		return OK(check, "snapshots ("+p.Snapshots+"); a crash loses what changed since the last one")
	}
}

// ACLLine is the command that grants rights to Redis's user.
func ACLLine(rights string) string { return "ACL SETUSER … " + rights }

func judgeRights(f registry.Facts, rights string) Finding {
	switch {
	case f.Refuses != "":
		detail := "Redis refuses to write: " + f.Refuses
		if len(f.Denied) > 0 {
			detail += "; and its user may not " + strings.Join(f.Denied, ", ")
		}
		return Fail("rights", detail, cmp.Or(storage.Explain(f.Refuses), "see its log and INFO")+"; until then requests get 503")
	case len(f.Unknown) > 0:
		return Fail("rights", "Redis does not know "+strings.Join(f.Unknown, ", "), "see rename-command in redis.conf, and that this is Redis; until then requests get 503")
	case len(f.Denied) > 0:
		return Fail("rights", "Redis's user may not "+strings.Join(f.Denied, ", "), ACLLine(rights))
	}
	return OK("rights", "Redis's user has all the rights that it needs")
}

// JudgeFiles judges how many files may be open. There is no finding if that is not
// known.
func JudgeFiles(n uint64, known bool) []Finding {
	switch text := fmt.Sprintf("the limit is %d open files, connections included", n); {
	case !known:
		return nil
	case n < manyFiles:
		return []Finding{Warn("files", text, "raise the limit: ulimit -n 65536, or LimitNOFILE= of a systemd unit")}
	default:
		return []Finding{OK("files", text)}
	}
}
