package config

import (
	"strings"
	"testing"
)

func TestValueFromFile(t *testing.T) {
	inDir(t, `{"redis":{"username":"of-the-file"},"application":{"port":1}}`)
	write(t, "secret", canary+"\r\n")
	write(t, "password", "pass phrase\n")
	write(t, "user", "gateway")
	write(t, "port", "8081\n")
	write(t, "keys", "[\n  {\"kid\": \"a\", \"algorithm\": \"HS256\", \"secret\": \""+canary+"\"}\n]\n")
	c := mustLoad(t, Source{Env: []string{
		"TYK_PROX_APPLICATION__TOKEN__JWT_SECRET_FILE=secret", "TYK_PROX_APPLICATION__TOKEN__JWT_SECRET=",
		"TYK_PROX_REDIS__PASSWORD_FILE=password", "TYK_PROX_REDIS__USERNAME_FILE=user", "TYK_PROX_APPLICATION__TOKEN__KEYS_FILE=keys",
		"TYK_PROX_APPLICATION__PORT_FILE=port", "TYK_PROX_LOG__LEVEL_FILE=",
	}})
	if c.Application.Token.JWTSecret.Reveal() != canary || c.Redis.Password.Reveal() != "pass phrase" || c.Redis.Username != "gateway" ||
		c.Application.Port != 8081 || len(c.Application.Token.Keys) != 1 || c.Application.Token.Keys[0].Secret.Reveal() != canary {
		t.Errorf("%+v", c)
	}
	if v := value(t, c, "redis.password"); v.Text != redacted || v.Origin != OriginEnv || v.File != "password" || c.SetBy("redis.password") != "password" {
		t.Errorf("%+v", v)
	}
	if v := value(t, c, "redis.addr"); v.File != "" || v.SetBy() != "default" {
		t.Errorf("%+v", v)
	}

	c = mustLoad(t, Source{
		Env:   []string{"TYK_PROX_APPLICATION__TOKEN__JWT_SECRET_FILE=secret"},
		Flags: map[string]string{"application.token.jwt_secret": ExampleSecret},
	})
	if c.Application.Token.JWTSecret.Reveal() != ExampleSecret || c.SetBy("application.token.jwt_secret") != "flag" {
		t.Error("a flag does not win over a file that a variable names")
	}
}

func TestValueFileFaults(t *testing.T) {
	const variable = "TYK_PROX_APPLICATION__TOKEN__JWT_SECRET_FILE"
	const name = "application.token.jwt_secret (" + variable
	inDir(t, "")
	dir := t.TempDir()
	write(t, "empty", "")
	write(t, "line", "\r\n")
	write(t, "two", canary+"\n\n")
	write(t, "quoted", `"`+canary+`"`+"\n")
	write(t, "short", canary[:8])
	write(t, "large", strings.Repeat("x", maxValueFile+1))
	write(t, "full", strings.Repeat("xy", maxValueFile/2))
	write(t, "line\rbreak", "")
	write(t, "utf16", "\xff\xfec\x00")
	for path, want := range map[string]string{
		"nowhere":     "=nowhere): the file cannot be read: no such file or directory",
		"nowhere\r":   `="nowhere\r"): the file cannot be read: no such file or directory`,
		dir:           "=" + dir + "): the file cannot be read: is a directory",
		"empty":       "=empty): the file is empty; write the value into it",
		"line":        "=line): the file is empty; write the value into it",
		"line\rbreak": `="line\rbreak"): the file is empty; write the value into it`,
		"two":         "=two): byte 40, the last, is a line feed (0x0A); remove it, because every byte counts",
		"quoted":      `=quoted): bytes 1 and 41 are double quotes (") around it; remove them, because every byte counts`,
		"short":       "=short): is too weak: it is shorter than 32 bytes, or repeats one byte; `tykctl secret` prints a strong one",
		"large":       "=large): the file is larger than 64 KiB; name the file that holds the value alone",
		"/dev/zero":   "=/dev/zero): the file is larger than 64 KiB; name the file that holds the value alone",
		"utf16":       "=utf16): is UTF-16, as PowerShell's > writes it; save it as UTF-8 without a byte order mark",
		"full":        "",
	} {
		_, err := Load(Source{NoFile: true, Env: []string{variable + "=" + path}})
		if want != "" {
			want = "configuration: 1 fault:\n  " + name + want
		}
		if got := errorText(err); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", path, got, want)
		}
	}

	_, err := Load(Source{NoFile: true, Env: []string{
		"TYK_PROX_REDIS__PASSWORD=x", "TYK_PROX_REDIS__PASSWORD_FILE=empty", "TYK_PROX_REDIS__PASWORD_FILE=empty", "TYK_PROX_FILE=x",
		"TYK_PROX_REDIS__DB_FILE=short", "TYK_PROX_APPLICATION__TOKEN__KEYS_FILE=short",
	}})
	const both = `configuration: 5 faults:
  application.token.keys (TYK_PROX_APPLICATION__TOKEN__KEYS_FILE=short): must be a JSON list of objects with kid, algorithm, secret or file, and optionally not_before and retire_at, but is not JSON, or not a list
  TYK_PROX_FILE (env): no option has this name
  redis.db (TYK_PROX_REDIS__DB_FILE=short): must be a whole number of 0 or more; the file holds something else
  redis.password (TYK_PROX_REDIS__PASSWORD): is set twice, there and by TYK_PROX_REDIS__PASSWORD_FILE; keep one of the two
  TYK_PROX_REDIS__PASWORD_FILE (env): no option has this name; did you mean TYK_PROX_REDIS__PASSWORD_FILE?`
	if errorText(err) != both {
		t.Errorf("got  %v\nwant %s", err, both)
	}
}

func TestKubernetesVariables(t *testing.T) {
	inDir(t, "")
	c := mustLoad(t, Source{Env: []string{
		"TYK_PROX_SERVICE_HOST=10.0.0.1", "TYK_PROX_SERVICE_PORT=80", "TYK_PROX_SERVICE_PORT_HTTP=80", "TYK_PROX_PORT=tcp://10.0.0.1:80",
		"TYK_PROX_PORT_80_TCP=tcp://10.0.0.1:80", "TYK_PROX_PORT_80_TCP_PROTO=tcp", "TYK_PROX_PORT_80_TCP_PORT=80", "TYK_PROX_PORT_80_TCP_ADDR=10.0.0.1",
		"TYK_PROX_MY_REDIS_SERVICE_HOST=10.0.0.2", "TYK_PROX_MY_REDIS_PORT=udp://10.0.0.2:53", "TYK_PROX_MY_REDIS_PORT_53_UDP_PORT=53",
	}})
	const want = "TYK_PROX_MY_REDIS_PORT and 10 more (env): ignored: Kubernetes sets such variables for a Service whose name begins with tyk-prox; " +
		"set enableServiceLinks: false in the pod's spec, or rename the Service"
	if got := c.Warnings(); len(got) != 1 || got[0].String() != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}

	// What may be meant for an option stays a fault.
	for _, entry := range []string{
		"TYK_PROX_PORT=8080", "TYK_PROX_REDIS_PORT=6379", "TYK_PROX_APPLICATION__SERVICE_PORT=1", "TYK_PROX_PORT_80=1", "TYK_PROX_PORT_X_TCP=1",
		"TYK_PROX_SERVICE=1", "TYK_PROX_HOST=x", "TYK_PROX_MONITORING_PORT=9090", "TYK_PROX_service_host=x",
	} {
		if _, err := Load(Source{NoFile: true, Env: []string{entry}}); !strings.Contains(errorText(err), "no option has this name") {
			t.Errorf("%s: %v", entry, err)
		}
	}
	if got := mustLoad(t, Source{NoFile: true}).Warnings(); len(got) != 0 {
		t.Errorf("warnings of nothing: %v", got)
	}
}
