package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inDir makes a new working directory with this config.json; "" writes none.
func inDir(t *testing.T, file string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if file != "" {
		write(t, DefaultFile, file)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t *testing.T, src Source) *Config {
	t.Helper()
	c, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestShippedFileLoads(t *testing.T) {
	inDir(t, `{
  "application": {
    "target_host": "http://backend-whoami:80",
    "port": 8080,
    "token": {"jwt_secret": "`+ExampleSecret+`"}
  },
  "server_timeouts": {"readHeaderTimeout": "5s", "readTimeout": "30s", "writeTimeout": "30s", "idleTimeout": "60s"},
  "redis": {"addr": "tyk-redis:6379"},
  "log": {"level": "Debug", "format": "console", "colored": true},
  "monitoring": {"ip": "0.0.0.0", "scheme": "http", "port": 9090}
}`)
	c := mustLoad(t, Source{Require: []string{"application.target_host", "application.token.jwt_secret"}})
	got := []any{
		c.File, c.Application.TargetHost.String(), c.Application.Port, c.Application.Token.JWTSecret.Reveal(),
		c.Timeouts, c.Redis.Addr, c.Log, c.Monitoring.IP.String(), c.Monitoring.Scheme, c.Monitoring.Port,
	}
	want := []any{
		"config.json", "http://backend-whoami:80", 8080, ExampleSecret,
		Timeouts{5 * time.Second, 30 * time.Second, 30 * time.Second, time.Minute, 0}, "tyk-redis:6379",
		Log{Level: "Debug", Format: "console", Colored: true}, "0.0.0.0", "http", 9090,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrecedence(t *testing.T) {
	const name = "TYK_PROX_APPLICATION__PORT"
	for _, tt := range []struct {
		name   string
		file   string
		env    []string
		flags  map[string]string
		want   int
		origin Origin
	}{
		{"nothing", ``, nil, nil, 8080, OriginDefault},
		{"file", `{"application":{"port":1}}`, nil, nil, 1, OriginFile},
		{"env over file", `{"application":{"port":1}}`, []string{name + "=2"}, nil, 2, OriginEnv},
		{"empty env is not set", `{"application":{"port":1}}`, []string{name + "="}, nil, 1, OriginFile},
		{"other programs' env", `{"application":{"port":1}}`, []string{"PORT=2", "TYK_PRO_X=3", "=C:=x", ""}, nil, 1, OriginFile},
		{"flag over env", `{"application":{"port":1}}`, []string{name + "=2"}, map[string]string{"application.port": "3"}, 3, OriginFlag},
		{"flag over default", ``, nil, map[string]string{"application.port": "3"}, 3, OriginFlag},
		{"any letter case", `{"APPLICATION":{"Port":1}}`, nil, nil, 1, OriginFile},
		{"only a sibling in env", `{"application":{"port":1}}`, []string{"TYK_PROX_APPLICATION__IP=::1"}, nil, 1, OriginFile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inDir(t, tt.file)
			c := mustLoad(t, Source{Env: tt.env, Flags: tt.flags})
			if c.Application.Port != tt.want {
				t.Errorf("port %d, want %d", c.Application.Port, tt.want)
			}
			if got := value(t, c, "application.port"); got.Origin != tt.origin || got.Text != fmt.Sprint(tt.want) {
				t.Errorf("value %q from %s, want %d from %s", got.Text, got.Origin, tt.want, tt.origin)
			}
		})
	}
}

// The process's own environment counts only when it is handed over.
func TestEnvironmentIsOffByDefault(t *testing.T) {
	inDir(t, "")
	t.Setenv("TYK_PROX_APPLICATION__PORT", "1")
	if c := mustLoad(t, Source{}); c.Application.Port != 8080 {
		t.Errorf("port %d, want the default", c.Application.Port)
	}
	if c := mustLoad(t, Source{Env: os.Environ()}); c.Application.Port != 1 {
		t.Errorf("port %d, want that of the environment", c.Application.Port)
	}
}

func value(t *testing.T, c *Config, key string) Value {
	t.Helper()
	for _, v := range c.Values() {
		if v.Key == key {
			return v
		}
	}
	t.Fatalf("no value for %s", key)
	return Value{}
}

func TestWhichFile(t *testing.T) {
	inDir(t, `{"application":{"port":1}}`)
	write(t, "other.json", `{"application":{"port":2}}`)
	empty, sub := t.TempDir(), t.TempDir()
	write(t, filepath.Join(sub, DefaultFile), `{"application":{"port":3}}`)

	for _, tt := range []struct {
		name string
		src  Source
		file string
		port int
	}{
		{"default", Source{}, "config.json", 1},
		{"named", Source{File: "other.json"}, "other.json", 2},
		{"named, though no default is wanted", Source{File: "other.json", NoFile: true}, "other.json", 2},
		{"none wanted", Source{NoFile: true}, "", 8080},
		{"none there", Source{Dir: empty}, "", 8080},
		{"elsewhere", Source{Dir: sub}, filepath.Join(sub, DefaultFile), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustLoad(t, tt.src)
			if c.File != tt.file || c.Application.Port != tt.port {
				t.Errorf("file %q, port %d; want %q, %d", c.File, c.Application.Port, tt.file, tt.port)
			}
		})
	}

	var faults *Faults
	if _, err := Load(Source{File: "missing.json"}); !errors.Is(err, fs.ErrNotExist) || errors.As(err, &faults) {
		t.Errorf("a named file that is missing: %v", err)
	}
	if _, err := Load(Source{File: sub}); err == nil || !strings.Contains(err.Error(), sub) {
		t.Errorf("a directory: %v", err)
	}
}

func TestValues(t *testing.T) {
	inDir(t, `{"application":{"token":{"jwt_secret":"`+ExampleSecret+`"}},"redis":{"addrs":["a:1","b:2"]}}`)
	c := mustLoad(t, Source{Env: []string{"TYK_PROX_LOG__LEVEL=debug"}})

	values := c.Values()
	for i, o := range Options() {
		if values[i].Key != o.Key {
			t.Fatalf("value %d is %s, want %s as declared", i, values[i].Key, o.Key)
		}
	}
	got := map[string]string{}
	for _, key := range []string{"application.token.jwt_secret", "redis.password", "redis.addrs", "log.level", "application.max_body"} {
		v := value(t, c, key)
		got[key] = v.Text + " from " + string(v.Origin)
	}
	want := map[string]string{
		"application.token.jwt_secret": "[redacted] from file",
		"redis.password":               " from default",
		"redis.addrs":                  "a:1,b:2 from file",
		"log.level":                    "debug from env",
		"application.max_body":         "10MiB from default",
	}
	if !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}

	for key, want := range map[string]Origin{"redis.addrs": OriginFile, "log.level": OriginEnv, "redis.addr": OriginDefault, "nothing": ""} {
		if got := c.Origin(key); got != want {
			t.Errorf("Origin(%s) = %q, want %q", key, got, want)
		}
	}

	values[0].Key = "changed"
	if c.Values()[0].Key == "changed" {
		t.Error("Values hands out its own list")
	}
}
