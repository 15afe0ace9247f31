package config

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/viper"
)

func TestReference(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(Reference(), "\n"), "\n")
	if got, want := len(lines), 2+len(Options()); got != want {
		t.Fatalf("%d lines, want %d", got, want)
	}
	for _, want := range []string{
		"| Key | Environment | Kind | Default | Meaning |",
		"| `application.port` | `TYK_PROX_APPLICATION__PORT` | a whole number from 0 to 65535 | `8080` | the port to listen on; 0 picks a free one |",
		"| `redis.username` | `TYK_PROX_REDIS__USERNAME` | a text | not set | the Redis user |",
	} {
		if !strings.Contains(Reference(), want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	for _, line := range lines {
		if strings.Count(line, "|")-strings.Count(line, `\|`) != 6 {
			t.Errorf("not five cells: %s", line)
		}
	}
	if got, want := cell(`a|b*c\`), `a\|b\*c\\`; got != want {
		t.Errorf("cell = %s, want %s", got, want)
	}
}

// wantExample is what the example says, by key, where it is not the default.
func wantExample() map[string]string {
	want := map[string]string{}
	for _, o := range Options() {
		want[o.Key] = o.Default
	}
	want["application.target_host"] = "http://backend-whoami:80"
	want["application.token.jwt_secret"] = ExampleSecret
	want["redis.addr"] = "tyk-redis:6379"
	return want
}

func TestEnvExampleInAShell(t *testing.T) {
	inDir(t, "")
	write(t, ".env.example", EnvExample())
	environ, err := exec.Command("sh", "-c", ". ./.env.example && env").Output()
	if err != nil {
		t.Fatal(err)
	}
	checkExample(t, strings.Split(string(environ), "\n"))
}

// viper's dotenv reader stands for the parser of docker compose's env_file.
func TestEnvExampleAsEnvFile(t *testing.T) {
	inDir(t, "")
	v := viper.New()
	v.SetConfigType("dotenv")
	if err := v.ReadConfig(strings.NewReader(EnvExample())); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, name := range v.AllKeys() {
		environ = append(environ, strings.ToUpper(name)+"="+v.GetString(name))
	}
	checkExample(t, environ)
}

func checkExample(t *testing.T, environ []string) {
	t.Helper()
	lines := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		lines[name] = value
	}
	got := map[string]string{}
	for _, o := range Options() {
		if text, there := lines[o.Env]; there {
			got[o.Key] = text
		}
	}
	if diff := cmp.Diff(wantExample(), got); diff != "" {
		t.Error(diff)
	}
	c := mustLoad(t, Source{Env: environ, Require: []string{"application.target_host", "application.token.jwt_secret"}})
	if c.Application.Token.JWTSecret.Reveal() != ExampleSecret {
		t.Error("the example secret came out changed")
	}
}

func TestShellQuote(t *testing.T) {
	for value, want := range map[string]string{
		"":               "",
		"token:":         "token:",
		"http://a-b:80":  "http://a-b:80",
		ExampleSecret:    ExampleSecret,
		"a b":            "'a b'",
		"$HOME":          "'$HOME'",
		"a#b":            "'a#b'",
		"a;b&c|d<e>(f)`": "'a;b&c|d<e>(f)`'",
		`a"b\`:           `'a"b\'`,
		"~":              "'~'",
	} {
		if got := shellQuote(value); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", value, got, want)
		}
	}
}
