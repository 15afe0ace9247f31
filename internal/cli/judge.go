package cli

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/term"
)

// What the doctor holds things against.
const (
	redisMajor     = 7               // the scripts read the clock and then write
	slowShare      = 4               // a round trip beyond this part of redis.timeout is slow
	clockTolerance = 1 * time.Second // tokens end by the gateway's clock, in whole seconds
	secretBits     = 100             // by entropy; 16 random bytes in hexadecimal are worth 117 or so
	oldShare       = 6               // a certificate is renewed, as a rule, when a third of its time is left
	manyFiles      = 4096
)

func judgeConfig(cfg *config.Config, wrong error) finding {
	if wrong != nil {
		return fail("config", wrong.Error(), "'tykctl config reference' tells of every option")
	}
	if warnings := cfg.Warnings(); len(warnings) > 0 {
		return warn("config", listFaults(warnings), "these are legal; see whether they are meant")
	}
	return ok("config", fileOf(cfg)+": nothing is wrong")
}

// listFaults writes one to a line.
func listFaults(faults []config.Fault) string {
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// judgeSecrets judges what tokens are signed with.
func judgeSecrets(cfg *config.Config) []finding {
	var found []finding
	const advice = "make one with 'tykctl secret' and set application.token.jwt_secret; tokens must then be made anew"
	switch secret := cfg.Application.Token.JWTSecret.Reveal(); {
	case secret == "": // if nothing else is there, it is a fault of the configuration, which is reported
	case app.PublicSecret(cfg):
		found = append(found, fail("secret", "it is the published example: anyone can make tokens, so serve listens on loopback only", advice))
	default:
		found = append(found, judgeSecret("", secret, ", set by "+cfg.SetBy("application.token.jwt_secret"), advice))
	}
	for _, key := range cfg.Application.Token.Keys {
		name := fmt.Sprintf("key %q: ", key.ID)
		switch text, err := app.KeyText(key); {
		case err != nil: // likewise reported
		case app.IsSecret(key):
			found = append(found, judgeSecret(name, string(text), "",
				"make one with 'tykctl secret', add it to application.token.keys, and give this one a retire_at"))
		default:
			found = append(found, ok("secret", name+key.Algorithm))
		}
	}
	return found
}

func judgeSecret(name, secret, origin, advice string) finding {
	if bits := entropy(secret); bits < secretBits {
		return warn("secret", fmt.Sprintf("%sit does not look random: its letters are worth %.0f bits, want %d", name, bits, secretBits), advice)
	}
	return ok("secret", fmt.Sprintf("%s%d bytes%s", name, len(secret), origin))
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

// judgeCertificate judges what clients over TLS are shown.
func judgeCertificate(files config.TLS, now time.Time) []finding {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil // there is none, or it is a fault of the configuration, which is reported
	}
	const (
		check = "certificate"
		renew = "renew it: new files in the old ones' places take effect without a restart"
	)
	begin, end := pair.Leaf.NotBefore, pair.Leaf.NotAfter
	switch text := files.Cert + " is valid until " + term.Moment(end, now); {
	case now.Before(begin):
		return []finding{fail(check, files.Cert+" is not valid before "+term.Moment(begin, now), "set this host's clock, or put another into its place")}
	case now.After(end):
		return []finding{fail(check, files.Cert+" has not been valid since "+term.Moment(end, now), renew)}
	case end.Sub(now) < end.Sub(begin)/oldShare:
		return []finding{warn(check, text, renew)}
	default:
		return []finding{ok(check, text)}
	}
}

// judgeRedis judges what Redis tells. rights are the rules for its user.
func judgeRedis(f registry.Facts, redis config.Redis, rights string) []finding {
	budget := redis.Timeout
	return []finding{
		worst(f.Servers, judgeServer),
		judgeTopology(f, redis),
		judgeLatency(f.Latency, budget),
		judgeClock(f.Ahead, f.Unsure),
		worst(f.Servers, judgeEviction),
		worst(f.Servers, judgePersistence),
		judgeRights(f, rights),
	}
}

// worst is the finding of the server that is worst off, with its address when
// there are several.
func worst(servers []registry.Server, judge func(registry.Server) finding) finding {
	rank := map[outcome]int{fine: 0, warning: 1, failure: 2}
	var found finding
	for i, s := range servers {
		f := judge(s)
		if len(servers) > 1 && f.Result != fine {
			f.Detail = s.Addr + ": " + f.Detail
		}
		if i == 0 || rank[f.Result] > rank[found.Result] {
			found = f
		}
	}
	if len(servers) > 1 && found.Result == fine {
		found.Detail += fmt.Sprintf(" (%d masters)", len(servers))
	}
	return found
}

func judgeServer(s registry.Server) finding {
	var major int
	_, err := fmt.Sscanf(s.Version, "%d.", &major)
	switch {
	case err != nil:
		return warn("redis", s.Addr+" answers, but does not tell its version", "allow its user +info")
	case major < redisMajor:
		return fail("redis", fmt.Sprintf("%s is version %s", s.Addr, s.Version), fmt.Sprintf("install Redis %d.0 or later", redisMajor))
	case s.Role != "master":
		return fail("redis", s.Addr+" is a replica, which refuses to write", "name its master, or the Sentinels with redis.master_name")
	}
	return ok("redis", fmt.Sprintf("%s answers: version %s, %s", s.Addr, s.Version, s.Mode))
}

// judgeTopology says as what Redis is used.
func judgeTopology(f registry.Facts, redis config.Redis) finding {
	const check = "topology"
	switch {
	case f.Cluster:
		return ok(check, fmt.Sprintf("a Cluster; masters: %d", len(f.Servers)))
	case len(f.Servers) == 1 && f.Servers[0].Mode == "cluster":
		return fail(check, "it is used as one server, but it is a Cluster: keys on other nodes get 503", "set redis.cluster to auto")
	case redis.MasterName != "":
		return ok(check, "the master that the Sentinels name")
	}
	return ok(check, "one server")
}

func judgeLatency(trip, budget time.Duration) finding {
	if trip == 0 {
		return warn("latency", "not measured: Redis does not tell its time", "see rights")
	}
	text := fmt.Sprintf("%.2f ms a round trip; redis.timeout is %s", float64(trip)/float64(time.Millisecond), budget)
	if trip > budget/slowShare {
		return warn("latency", text, "bring Redis nearer, or raise redis.timeout: requests that wait longer get 503")
	}
	return ok("latency", text)
}

func judgeClock(ahead, unsure time.Duration) finding {
	if unsure == 0 {
		return warn("clock", "not compared: Redis does not tell its time", "see rights")
	}
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	text := fmt.Sprintf("Redis is %.2f ms %s this host, ±%.2f ms", math.Abs(ahead.Seconds()*1000), word, unsure.Seconds()*1000)
	if ahead.Abs()-unsure > clockTolerance {
		return warn("clock", text, "run NTP on both: limits go by Redis' clock, but the end of a token by this host's")
	}
	return ok("clock", text)
}

func judgeEviction(s registry.Server) finding {
	switch {
	case s.Eviction == "":
		return warn("eviction", "Redis does not tell its maxmemory-policy", "allow its user +info, or see that it is noeviction")
	case s.Eviction == "noeviction":
		return ok("eviction", "maxmemory-policy is noeviction")
	case s.MaxMemory == 0:
		return ok("eviction", "maxmemory-policy is "+s.Eviction+", but memory has no bound")
	}
	return warn("eviction", "maxmemory-policy is "+s.Eviction+": an evicted record is a revoked key", "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf")
}

func judgePersistence(s registry.Server) finding {
	const check = "persistence"
	switch p := s.Persistence; {
	case p.Failed:
		return fail(check, "Redis could not write to its disk, and may refuse to write at all", "see its log: the disk may be full")
	case p.AppendLog:
		return ok(check, "append-only file")
	case !p.Known:
		return warn(check, "Redis does not tell whether it takes snapshots", "allow its user +config|get, or see that it does")
	case p.Snapshots == "":
		return warn(check, "none: after a restart every key is unknown", "CONFIG SET appendonly yes, and the same in redis.conf")
	default:
		return ok(check, "snapshots ("+p.Snapshots+"); what changed since the last is lost in a crash")
	}
}

// aclLine is the command that grants rights to Redis' user.
func aclLine(rights string) string { return "ACL SETUSER … " + rights }

func judgeRights(f registry.Facts, rights string) finding {
	switch {
	case f.Refuses != "":
		detail := "Redis refuses to write: " + f.Refuses
		if len(f.Denied) > 0 {
			detail += "; and its user may not " + strings.Join(f.Denied, ", ")
		}
		return fail("rights", detail, cmp.Or(storage.Explain(f.Refuses), "see its log and INFO")+"; until then requests get 503")
	case len(f.Denied) > 0:
		return fail("rights", "Redis' user may not "+strings.Join(f.Denied, ", "), aclLine(rights))
	}
	return ok("rights", "Redis' user may do all that is needed")
}

func judgeFiles(n uint64, known bool) []finding {
	switch text := fmt.Sprintf("%d may be open at once, connections included", n); {
	case !known:
		return nil
	case n < manyFiles:
		return []finding{warn("files", text, "raise the limit: ulimit -n 65536, or LimitNOFILE= of a systemd unit")}
	default:
		return []finding{ok("files", text)}
	}
}
