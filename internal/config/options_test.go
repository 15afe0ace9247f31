package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The names are what people's deployments hold: none may change.
func TestEnvironmentNames(t *testing.T) {
	want := map[string]string{
		"application.target_host":           "TYK_PROX_APPLICATION__TARGET_HOST",
		"application.ip":                    "TYK_PROX_APPLICATION__IP",
		"application.port":                  "TYK_PROX_APPLICATION__PORT",
		"application.preserve_host":         "TYK_PROX_APPLICATION__PRESERVE_HOST",
		"application.strip_authorization":   "TYK_PROX_APPLICATION__STRIP_AUTHORIZATION",
		"application.trusted_proxies":       "TYK_PROX_APPLICATION__TRUSTED_PROXIES",
		"application.forward_auth":          "TYK_PROX_APPLICATION__FORWARD_AUTH",
		"application.max_body":              "TYK_PROX_APPLICATION__MAX_BODY",
		"application.rate_limit.algorithm":  "TYK_PROX_APPLICATION__RATE_LIMIT__ALGORITHM",
		"application.rate_limit.window":     "TYK_PROX_APPLICATION__RATE_LIMIT__WINDOW",
		"application.rate_limit.burst":      "TYK_PROX_APPLICATION__RATE_LIMIT__BURST",
		"application.rate_limit.max_delay":  "TYK_PROX_APPLICATION__RATE_LIMIT__MAX_DELAY",
		"application.token.jwt_secret":      "TYK_PROX_APPLICATION__TOKEN__JWT_SECRET",
		"application.token.algorithm":       "TYK_PROX_APPLICATION__TOKEN__ALGORITHM",
		"application.token.keys":            "TYK_PROX_APPLICATION__TOKEN__KEYS",
		"application.token.cache_size":      "TYK_PROX_APPLICATION__TOKEN__CACHE_SIZE",
		"application.token.prefix":          "TYK_PROX_APPLICATION__TOKEN__PREFIX",
		"server_timeouts.readHeaderTimeout": "TYK_PROX_SERVER_TIMEOUTS__READHEADERTIMEOUT",
		"server_timeouts.readTimeout":       "TYK_PROX_SERVER_TIMEOUTS__READTIMEOUT",
		"server_timeouts.writeTimeout":      "TYK_PROX_SERVER_TIMEOUTS__WRITETIMEOUT",
		"server_timeouts.idleTimeout":       "TYK_PROX_SERVER_TIMEOUTS__IDLETIMEOUT",
		"server_timeouts.minBodyRate":       "TYK_PROX_SERVER_TIMEOUTS__MINBODYRATE",
		"server.tls.cert":                   "TYK_PROX_SERVER__TLS__CERT",
		"server.tls.key":                    "TYK_PROX_SERVER__TLS__KEY",
		"server.tls.client_ca":              "TYK_PROX_SERVER__TLS__CLIENT_CA",
		"server.access_log":                 "TYK_PROX_SERVER__ACCESS_LOG",
		"server.drain_delay":                "TYK_PROX_SERVER__DRAIN_DELAY",
		"server.drain_timeout":              "TYK_PROX_SERVER__DRAIN_TIMEOUT",
		"server.max_connections":            "TYK_PROX_SERVER__MAX_CONNECTIONS",
		"server.max_in_flight":              "TYK_PROX_SERVER__MAX_IN_FLIGHT",
		"upstream.connect_timeout":          "TYK_PROX_UPSTREAM__CONNECT_TIMEOUT",
		"upstream.h2c":                      "TYK_PROX_UPSTREAM__H2C",
		"upstream.response_timeout":         "TYK_PROX_UPSTREAM__RESPONSE_TIMEOUT",
		"upstream.idle_timeout":             "TYK_PROX_UPSTREAM__IDLE_TIMEOUT",
		"upstream.idle_connection":          "TYK_PROX_UPSTREAM__IDLE_CONNECTION",
		"redis.addr":                        "TYK_PROX_REDIS__ADDR",
		"redis.addrs":                       "TYK_PROX_REDIS__ADDRS",
		"redis.master_name":                 "TYK_PROX_REDIS__MASTER_NAME",
		"redis.cluster":                     "TYK_PROX_REDIS__CLUSTER",
		"redis.username":                    "TYK_PROX_REDIS__USERNAME",
		"redis.password":                    "TYK_PROX_REDIS__PASSWORD",
		"redis.db":                          "TYK_PROX_REDIS__DB",
		"redis.tls":                         "TYK_PROX_REDIS__TLS",
		"redis.sentinel_username":           "TYK_PROX_REDIS__SENTINEL_USERNAME",
		"redis.sentinel_password":           "TYK_PROX_REDIS__SENTINEL_PASSWORD",
		"redis.tls_ca":                      "TYK_PROX_REDIS__TLS_CA",
		"redis.tls_cert":                    "TYK_PROX_REDIS__TLS_CERT",
		"redis.tls_key":                     "TYK_PROX_REDIS__TLS_KEY",
		"redis.tls_server_name":             "TYK_PROX_REDIS__TLS_SERVER_NAME",
		"upstream.tls_ca":                   "TYK_PROX_UPSTREAM__TLS_CA",
		"upstream.tls_cert":                 "TYK_PROX_UPSTREAM__TLS_CERT",
		"upstream.tls_key":                  "TYK_PROX_UPSTREAM__TLS_KEY",
		"upstream.tls_server_name":          "TYK_PROX_UPSTREAM__TLS_SERVER_NAME",
		"redis.timeout":                     "TYK_PROX_REDIS__TIMEOUT",
		"redis.cache_size":                  "TYK_PROX_REDIS__CACHE_SIZE",
		"redis.on_failure":                  "TYK_PROX_REDIS__ON_FAILURE",
		"redis.grace":                       "TYK_PROX_REDIS__GRACE",
		"redis.instances":                   "TYK_PROX_REDIS__INSTANCES",
		"log.level":                         "TYK_PROX_LOG__LEVEL",
		"log.format":                        "TYK_PROX_LOG__FORMAT",
		"log.colored":                       "TYK_PROX_LOG__COLORED",
		"monitoring.ip":                     "TYK_PROX_MONITORING__IP",
		"monitoring.scheme":                 "TYK_PROX_MONITORING__SCHEME",
		"monitoring.port":                   "TYK_PROX_MONITORING__PORT",

		"application.cors.origins":             "TYK_PROX_APPLICATION__CORS__ORIGINS",
		"application.cors.methods":             "TYK_PROX_APPLICATION__CORS__METHODS",
		"application.cors.headers":             "TYK_PROX_APPLICATION__CORS__HEADERS",
		"application.cors.expose":              "TYK_PROX_APPLICATION__CORS__EXPOSE",
		"application.cors.credentials":         "TYK_PROX_APPLICATION__CORS__CREDENTIALS",
		"application.cors.max_age":             "TYK_PROX_APPLICATION__CORS__MAX_AGE",
		"application.token.websocket_protocol": "TYK_PROX_APPLICATION__TOKEN__WEBSOCKET_PROTOCOL",
	}
	got := map[string]string{}
	for _, o := range Options() {
		got[o.Key] = o.Env
	}
	if !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestDeclarations(t *testing.T) {
	for _, o := range options {
		for _, text := range []string{o.Default, o.Example} {
			if err := o.set(new(Config), text); err != nil && text != "" {
				t.Errorf("%s: its own default or example: %v", o.Key, err)
			}
			if strings.Contains(text, "'") {
				t.Errorf("%s: shells and env_file parsers quote ' differently", o.Key)
			}
		}
		if o.Kind == "" || o.Accepts == "" || o.Help == "" || o.json == 0 {
			t.Errorf("%s: incomplete declaration: %+v", o.Key, o.Option)
		}
		if strings.HasSuffix(o.Env, fileSuffix) {
			t.Errorf("%s: its variable names a file for another option's value", o.Key)
		}
		if (strings.Contains(o.Key, "secret") || strings.HasSuffix(o.Key, "password")) != o.Secret {
			t.Errorf("%s: secret is %t", o.Key, o.Secret)
		}
	}
	if keys := keys(); len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
		t.Error("a key is declared twice")
	}
}

// Every option has a field of its own, and every field an option: setting all
// options to texts unlike the zero value leaves no field at zero.
func TestEveryFieldIsDeclared(t *testing.T) {
	c := new(Config)
	for _, o := range options {
		before := *c
		if err := o.set(c, unlikeZero(o)); err != nil {
			t.Fatalf("%s: %v", o.Key, err)
		}
		if reflect.DeepEqual(before, *c) {
			t.Errorf("%s: sets nothing, or a field that another option has set", o.Key)
		}
	}
	for _, field := range leaves(reflect.ValueOf(*c), "") {
		if !slices.Contains([]string{".File", ".values", ".warnings"}, field) {
			t.Errorf("Config%s: no option sets it", field)
		}
	}
}

func unlikeZero(o option) string {
	switch {
	case o.Kind == "boolean":
		return "true"
	case o.Kind == "integer", o.Kind == "size":
		return "7"
	case o.Key == "application.trusted_proxies":
		return "10.0.0.0/8"
	case o.Kind == "keys":
		return `[{"kid":"a","algorithm":"EdDSA","file":"a.pem"}]`
	case o.Key == "application.cors.origins":
		return "https://app.example.com"
	case strings.HasPrefix(o.Key, "application.cors.") && o.Kind == "list":
		return "PUT"
	case o.Kind == "list":
		return "a:1"
	case o.Example != "":
		return o.Example
	case o.Default == "":
		return "x"
	case o.Default == "0s":
		return "7s"
	default:
		return o.Default
	}
}

// leaves names the fields, nested ones too, that are zero.
func leaves(v reflect.Value, path string) []string {
	if v.Kind() != reflect.Struct || !strings.HasPrefix(v.Type().PkgPath(), "github.com/tykctl") || v.Type() == reflect.TypeFor[Secret]() {
		if v.IsZero() {
			return []string{path}
		}
		return nil
	}
	var zero []string
	for i := range v.NumField() {
		zero = append(zero, leaves(v.Field(i), path+"."+v.Type().Field(i).Name)...)
	}
	return zero
}
