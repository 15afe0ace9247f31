package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each case is everything that is said, word for word.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		file string
		src  Source
		want string
	}{
		{
			name: "unknown keys",
			file: `{"application":{"prot":1,"token":{"secret":"x"},"jwt_secret":"x"},"port":1,"server_timeout":{},
				"application.port":1,"redis":{"\n":1},"":2,"zebra":[{"a":1}]}`,
			want: `config.json: 9 faults:
  application.prot: unknown key; did you mean application.port?
  application.token.secret: unknown key
  application.jwt_secret: unknown key; did you mean application.token.jwt_secret?
  port: unknown key; did you mean application.port or monitoring.port?
  server_timeout: unknown key; did you mean server_timeouts?
  "application.port": unknown key; nest objects in place of the dots
  redis."\n": unknown key
  "": unknown key
  zebra: unknown key`,
		},
		{
			name: "given twice",
			file: `{"log":{"level":"Info","LEVEL":"Warn"},"redis":{},"Redis":{"nonsense":1},"x":1,"x":2}`,
			want: `config.json: 4 faults:
  log.LEVEL: is set twice (letter case does not matter); remove one
  Redis: is set twice (letter case does not matter); remove one
  x: unknown key
  x: is set twice (letter case does not matter); remove one`,
		},
		{
			name: "objects and values exchanged",
			file: `{"application":8080,"log":null,"monitoring":{"port":{"number":1}},"redis":{"addrs":{}}}`,
			want: `config.json: 4 faults:
  application: must be an object, not a number
  log: must be an object, not null
  monitoring.port: must be a whole number from 0 to 65535, not an object
  redis.addrs: must be a list (each element: host:port), not an object`,
		},
		{
			name: "wrong types",
			file: `{"application":{"port":"8080","preserve_host":"true","ip":1,"max_body":true,"token":{"jwt_secret":12345}},
				"server_timeouts":{"readTimeout":false},"redis":{"addrs":"a:1","addr":["a:1"],"db":null}}`,
			want: `config.json: 9 faults:
  application.port: must be a whole number from 0 to 65535, not a string
  application.preserve_host: must be true or false, not a string
  application.ip: must be an IP address, not a number
  application.max_body: must be a size in bytes, KiB, MiB or GiB, such as 10MiB, not a boolean
  application.token.jwt_secret: must be a text of at least 32 random bytes, as ` + "`tykctl secret`" + ` prints it, not a number
  server_timeouts.readTimeout: must be a duration above 0, such as "5s", not a boolean
  redis.addrs: must be a list (each element: host:port), not a string
  redis.addr: must be host:port, not a list
  redis.db: must be a whole number of 0 or more, not null`,
		},
		{
			name: "wrong elements",
			file: `{"redis":{"addrs":["a:1",2]},"application":{"trusted_proxies":["10.0.0.1,10.0.0.2"]}}`,
			want: `config.json: 2 faults:
  redis.addrs: element 2 must be a string, not a number
  application.trusted_proxies: element 1 must hold one value: it is empty, or has a comma`,
		},
		{
			name: "failed checks",
			file: `{"application":{"port":65536,"target_host":"http://b/x","token":{"jwt_secret":"short"}},
				"server_timeouts":{"idleTimeout":5},"log":{"level":"loud"}}`,
			want: `config.json: 5 faults:
  application.port: must be a whole number from 0 to 65535, not "65536"
  application.target_host: must be a URL of the form http://host[:port] or https://host[:port], without a path, query or fragment
  application.token.jwt_secret: is too weak: it is shorter than 32 bytes, or repeats one byte; ` + "`tykctl secret`" + ` prints a strong one
  server_timeouts.idleTimeout: must be a duration above 0, such as "5s", not 5, which has no unit; write "5s" for seconds
  log.level: must be Debug, Info, Warn, Error or Fatal, not "loud"`,
		},
		{
			name: "credentials in an address",
			file: `{"application":{"target_host":"http://u:p@backend"},"redis":{"addr":"redis://:p@redis:6379"}}`,
			want: `config.json: 2 faults:
  application.target_host: must be a URL of the form http://host[:port] or https://host[:port], without user name or password
  redis.addr: must be host:port, not a URL; set redis.username, redis.password and redis.tls for the rest of it`,
		},
		{
			name: "environment",
			src: Source{Env: []string{
				"TYK_PROX_LOG__COLORED=maybe", "TYK_PROX_APPLICATION_PORT=1", "TYK_PROX_Redis__Addr=a:1",
				"TYK_PROX_REDIS=x", "TYK_PROX_ZEBRA=x", "TYK_PROX_=x", "TYK_PROX_TYPO=", "TYK_PROX_PORT=1", "TYK_PROX_\n=1",
			}},
			want: `configuration: 8 faults:
  TYK_PROX_ (env): no option has this name
  "TYK_PROX_\n" (env): no option has this name
  TYK_PROX_APPLICATION_PORT (env): no option has this name; did you mean TYK_PROX_APPLICATION__PORT?
  log.colored (TYK_PROX_LOG__COLORED): must be true or false, not "maybe"
  TYK_PROX_PORT (env): no option has this name; did you mean TYK_PROX_APPLICATION__PORT or TYK_PROX_MONITORING__PORT?
  TYK_PROX_REDIS (env): no option has this name
  TYK_PROX_Redis__Addr (env): no option has this name; did you mean TYK_PROX_REDIS__ADDR?
  TYK_PROX_ZEBRA (env): no option has this name`,
		},
		{
			name: "flags",
			src:  Source{Flags: map[string]string{"redis.addr": "localhost", "redis.adr": "a:1", "application.token.prefix": ""}},
			want: `configuration: 3 faults:
  application.token.prefix (flag): must be a text that is not empty, without white space, control characters, braces or any of * ? [ ] \, not ""
  redis.addr (flag): must be host:port, not "localhost"
  redis.adr (flag): unknown key; did you mean redis.addr?`,
		},
		{
			name: "every layer, also where it is overridden",
			file: `{"application":{"port":-1}}`,
			src: Source{
				Env:   []string{"TYK_PROX_APPLICATION__PORT=x"},
				Flags: map[string]string{"application.port": "80"},
			},
			want: `config.json: 2 faults:
  application.port: must be a whole number from 0 to 65535, not "-1"
  application.port (TYK_PROX_APPLICATION__PORT): must be a whole number from 0 to 65535, not "x"`,
		},
		{
			name: "required",
			file: `{"redis":{"password":""},"application":{"target_host":"backend:80"}}`,
			src:  Source{Require: []string{"application.target_host", "application.token.jwt_secret", "redis.password", "redis.addr"}},
			want: `config.json: 3 faults:
  application.target_host: must be a URL of the form http://host[:port] or https://host[:port], as in http://backend:80
  application.token.jwt_secret: is required; set it in the file, or set TYK_PROX_APPLICATION__TOKEN__JWT_SECRET and pass --env
  redis.password: is required; set it in the file, or set TYK_PROX_REDIS__PASSWORD and pass --env`,
		},
		{
			name: "settings of another algorithm",
			file: `{"application":{"rate_limit":{"algorithm":"Sliding_Window","burst":5,"max_delay":"1s"}}}`,
			want: `config.json: 2 faults:
  application.rate_limit.burst: must be 0 with the algorithm sliding_window; only token_bucket has a burst
  application.rate_limit.max_delay: must be 0 with the algorithm sliding_window; only leaky_bucket delays requests`,
		},
		{
			name: "limits beyond reason",
			file: `{"application":{"rate_limit":{"algorithm":"leaky","burst":-1,"max_delay":"25h"}}}`,
			want: `config.json: 3 faults:
  application.rate_limit.algorithm: must be fixed_window, sliding_window, token_bucket or leaky_bucket, not "leaky"
  application.rate_limit.burst: must be a whole number of 0 or more, not "-1"
  application.rate_limit.max_delay: must be a duration from "0s" to "24h", not "25h"`,
		},
		{
			name: "a database of a Cluster",
			file: `{"redis":{"addrs":["a:1","b:1"],"db":1}}`,
			want: `config.json: 1 fault:
  redis.db: must be 0, for several redis.addrs are a Cluster, which has no other database; for Sentinels set redis.master_name`,
		},
		{
			name: "a database of a Cluster with one address",
			file: `{"redis":{"addr":"a:1","db":1,"cluster":"on"}}`,
			want: `config.json: 1 fault:
  redis.db: must be 0, for a Cluster has no other database; set redis.cluster to off for one server`,
		},
		{
			name: "several addresses of no Cluster",
			file: `{"redis":{"addrs":["a:1","b:1"],"cluster":"off"}}`,
			want: `config.json: 1 fault:
  redis.cluster: is off, but several redis.addrs are a Cluster; name one address, or the Sentinels' redis.master_name`,
		},
		{
			name: "a Cluster behind Sentinels",
			file: `{"redis":{"addrs":["a:1","b:1"],"cluster":"on","master_name":"m"}}`,
			want: `config.json: 1 fault:
  redis.cluster: is on, but redis.master_name is for Sentinels, which watch no Cluster; set only one of the two`,
		},
		{
			name: "Sentinels without addresses",
			src:  Source{Env: []string{"TYK_PROX_REDIS__MASTER_NAME=m"}},
			want: `configuration: 1 fault:
  redis.master_name (TYK_PROX_REDIS__MASTER_NAME): needs the Sentinels' addresses; set redis.addrs, or redis.addr for one`,
		},
		{
			name: "TLS by halves, and a question that nobody may ask",
			file: `{"application":{"forward_auth":true},"server":{"tls":{"key":"key.pem"}}}`,
			want: `config.json: 2 faults:
  application.forward_auth: requires application.trusted_proxies: only the proxies listed there may ask
  server.tls: cert and key must be set together, and client_ca needs both`,
		},
		{
			name: "no conclusions from what is wrong already",
			file: `{"redis":{"master_name":"m","addrs":["a"]}}`,
			want: `config.json: 1 fault:
  redis.addrs: element 1 must be host:port, not "a"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inDir(t, tt.file)
			c, err := Load(tt.src)
			faults, ok := errors.AsType[*Faults](err)
			if !ok || c != nil {
				t.Fatalf("Load = %v, %v; want faults", c, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
			if lines := strings.Count(tt.want, "\n"); len(faults.List) != lines {
				t.Errorf("%d faults in the list, %d lines", len(faults.List), lines)
			}
		})
	}
}

func TestSoundRedisTopologies(t *testing.T) {
	for name, file := range map[string]string{
		"one with a database":        `{"redis":{"db":3}}`,
		"one address in addrs":       `{"redis":{"addrs":["a:1"],"db":3}}`,
		"a Cluster":                  `{"redis":{"addrs":["a:1","b:1"]}}`,
		"Sentinels and a database":   `{"redis":{"addrs":["a:1","b:1"],"master_name":"m","db":3}}`,
		"one Sentinel in redis.addr": `{"redis":{"addr":"localhost:6379","master_name":"m"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			inDir(t, file)
			mustLoad(t, Source{})
		})
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"port", "port", 0},
		{"prot", "port", 2},
		{"por", "port", 1},
		{"sort", "port", 1},
		{"", "abc", 3},
		{"kitten", "sitting", 3},
	} {
		if got := distance(tt.a, tt.b, 9); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a, 9); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
	if got := distance("a", strings.Repeat("b", 1<<20), 3); got != 3 {
		t.Errorf("distance to a very long word = %d, want the limit", got)
	}
}
