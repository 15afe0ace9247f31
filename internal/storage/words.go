package storage

import ()

// sentences say what the kinds of trouble are, and what to do.
var sentences = map[string]string{
	"oom":         "redis is out of memory and refuses to write: raise its maxmemory, or remove what else it holds",
	"readonly":    "redis is a replica, which refuses to write: name its master, or the Sentinels with redis.master_name",
	"misconf":     "redis cannot save to its disk and refuses to write: see its log; the disk may be full",
	"noperm":      "redis does not allow its user this: 'tykctl doctor' names the missing right and the ACL rule that grants it",
	"noauth":      "redis does not accept the user or the password: check redis.username and redis.password",
	"loading":     "redis is loading its data: try again in a moment",
	"clusterdown": "the Redis Cluster is down, because some of its slots have no master: see CLUSTER INFO",
	"masterdown":  "redis is a replica that has lost its master: name the master, or the Sentinels with redis.master_name",
	"busy":        "redis is busy with a script: see its log; SCRIPT KILL ends one",
	"moved":       "redis is one node of a Cluster: name several nodes in redis.addrs, or set redis.cluster to on",
	"timeout":     "redis does not answer in time",
	"connection":  "redis cannot be reached",
	"tls":         "the TLS connection to redis fails",
	"queue":       "too many requests wait for redis",
	"sentinel":    "the Sentinels know no master of this name: check redis.master_name",
}

// Explain says in words what a kind of trouble is, as [Kind] names it, and what to
// do; "" if the word says it all.
func Explain(kind string) string { return sentences[kind] }

// Sentence says in words what the matter is with Redis.
func Sentence(err error) string {
	switch k := Kind(err); {
	case AtSentinel(err) && k == "noauth":
		return "a Sentinel does not accept the user or the password: check redis.sentinel_username and redis.sentinel_password"
	case AtSentinel(err) && k != "sentinel":
		return "no Sentinel can be asked for the address of redis"
	case sentences[k] != "":
		return sentences[k]
	default:
		return "redis answers with an error: see its log, and 'tykctl doctor'"
	}
}

// Advice is what an operator reads of an [ErrUnavailable]: what the matter is with
// Redis and what to do, "" if err says all there is.
func Advice(err error) string {
	switch Kind(err) {
	case "", "timeout", "connection":
		if !AtSentinel(err) {
			return ""
		}
	case "tls":
		return tlsAdvice(err)
	}
	return Sentence(err)
}
