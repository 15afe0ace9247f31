package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/charmbracelet/log"
)

const canary = "canary-K8s!dcba-0123456789-abcdefghijkl"

func TestSecretFormats(t *testing.T) {
	for name, s := range map[string]Secret{"set": NewSecret(canary), "zero": {}} {
		for _, format := range []string{"%v", "%s", "%q", "%+v", "%#v", "%x", "%X", "%d", "%t", "%5.2s"} {
			if got := fmt.Sprintf(format, s); got != redacted {
				t.Errorf("%s: %s = %s", name, format, got)
			}
			if got := fmt.Sprintf(format, &s); got != redacted {
				t.Errorf("%s: %s of a pointer = %s", name, format, got)
			}
		}
		pointer := "%p" // fmt asks no Formatter for it
		if got := fmt.Sprintf(pointer, s); shows(got) {
			t.Errorf("%s: %%p = %s", name, got)
		}
		if got, err := json.Marshal(s); err != nil || string(got) != `"[redacted]"` {
			t.Errorf("%s: JSON %s, %v", name, got, err)
		}
		if got, err := s.MarshalText(); err != nil || string(got) != redacted {
			t.Errorf("%s: text %s, %v", name, got, err)
		}
		if got := fmt.Sprint(s) + s.String() + s.LogValue().String(); got != redacted+redacted+redacted {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := NewSecret(canary).Reveal(); got != canary {
		t.Errorf("Reveal = %q", got)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal of the zero Secret = %q", got)
	}
}

type holder struct {
	Open   Secret
	hidden Secret
	List   []Secret
	ByName map[string]*Secret
}

func hold() holder {
	s := NewSecret(canary)
	return holder{s, s, []Secret{s}, map[string]*Secret{"k": &s}}
}

// Wherever a secret is nested, whoever prints it, the canary stays inside.
func TestSecretInLoggers(t *testing.T) {
	var out bytes.Buffer
	h := hold()
	if h.hidden.Reveal() != canary {
		t.Fatal("the holder holds nothing")
	}
	values := []any{
		"direct", h.Open, "pointer", &h.Open, "struct", h, "pointer to struct", &h, "list", h.List, "map", h.ByName,
		"config", Config{Application: Application{Token: Token{JWTSecret: h.Open}}},
		slog.Group("group", "inner", h.Open, "nested", h),
	}
	loggers := map[string]*slog.Logger{
		"slog text": slog.New(slog.NewTextHandler(&out, nil)),
		"slog JSON": slog.New(slog.NewJSONHandler(&out, nil)),
	}
	for name, formatter := range map[string]log.Formatter{
		"charm text": log.TextFormatter, "charm JSON": log.JSONFormatter, "charm logfmt": log.LogfmtFormatter,
	} {
		loggers[name] = slog.New(log.NewWithOptions(&out, log.Options{Formatter: formatter}))
	}
	for name, logger := range loggers {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			logger.Info("alone", values...)
			logger.With(values...).WithGroup("g").Info("with", values...)
			text := out.String()
			if !strings.Contains(text, "redacted") {
				t.Errorf("nothing was logged: %s", text)
			}
			if shows(text) {
				t.Errorf("the secret is shown: %s", text)
			}
		})
	}
	t.Run("charm itself", func(t *testing.T) {
		for _, formatter := range []log.Formatter{log.TextFormatter, log.JSONFormatter, log.LogfmtFormatter} {
			out.Reset()
			logger := log.NewWithOptions(&out, log.Options{Formatter: formatter})
			logger.Info(h, "direct", h.Open, "struct", h, "list", h.List, "map", h.ByName, h.Open, "as key")
			if text := out.String(); shows(text) || !strings.Contains(text, "redacted") {
				t.Errorf("formatter %d: %s", formatter, text)
			}
		}
	})
}

// shows looks for the canary as it is, and in hexadecimal.
func shows(text string) bool {
	return strings.Contains(text, "canary") || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", "canary"))
}

// However a configuration is wrong, no message shows a secret in it.
func TestErrorsShowNoSecret(t *testing.T) {
	const short = "canary"
	for name, tt := range map[string]struct {
		file string
		src  Source
	}{
		"weak":               {file: `{"application":{"token":{"jwt_secret":"` + short + `"}}}`},
		"weak in env":        {src: Source{Env: []string{"TYK_PROX_APPLICATION__TOKEN__JWT_SECRET=" + short}}},
		"weak as flag":       {src: Source{Flags: map[string]string{"application.token.jwt_secret": short}}},
		"twice":              {file: `{"redis":{"password":"` + canary + `","PASSWORD":"` + canary + `"}}`},
		"list":               {file: `{"redis":{"password":["` + canary + `"]}}`},
		"object":             {file: `{"redis":{"password":{"text":"` + canary + `"}}}`},
		"misspelt key":       {file: `{"redis":{"pasword":"` + canary + `"}}`},
		"misspelt name":      {src: Source{Env: []string{"TYK_PROX_REDIS__PASWORD=" + canary}}},
		"not quoted":         {file: `{"redis":{"password":` + canary + `}}`},
		"not closed":         {file: `{"redis":{"password":"` + canary},
		"quoted twice":       {file: `{"redis":{"password":""` + canary + `""}}`},
		"in redis.addr":      {file: `{"redis":{"addr":"redis://:` + canary + `@h:6379"}}`},
		"in redis.addrs":     {src: Source{Env: []string{"TYK_PROX_REDIS__ADDRS=a:1,u:" + canary + "@h:1"}}},
		"in the target":      {file: `{"application":{"target_host":"http://u:` + canary + `@h"}}`},
		"in a broken target": {file: `{"application":{"target_host":"http://u:` + canary + `@[h"}}`},
		"beside a fault":     {file: `{"redis":{"password":"` + canary + `","db":-1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			inDir(t, tt.file)
			c, err := Load(tt.src)
			if err == nil {
				t.Fatalf("no error: %v", c)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); shows(text) {
				t.Errorf("the secret is shown: %s", text)
			}
		})
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	inDir(t, `{"redis":{"password":"`+canary+`"},"application":{"token":{"jwt_secret":"`+canary+`"}}}`)
	c := mustLoad(t, Source{})
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %#v %s %+v", c, *c, *c, asJSON, c.Values())
	if shows(text) || !strings.Contains(text, redacted) {
		t.Errorf("the secret is shown: %s", text)
	}
	if c.Redis.Password.Reveal() != canary || c.Application.Token.JWTSecret.Reveal() != canary {
		t.Error("the secrets are not there")
	}
}
