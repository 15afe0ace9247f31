package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"

	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// DefaultFile is what [Load] reads, if it is there, when no file is named.
const DefaultFile = "config.json"

// Source says where the layers come from. The zero Source is ./config.json if it
// is there, over the defaults.
type Source struct {
	File    string            // JSON file, which must be there; "" is DefaultFile in Dir, if it is there
	NoFile  bool              // leave DefaultFile alone
	Dir     string            // where DefaultFile is looked for; "" is the working directory
	Env     []string          // NAME=value, as from os.Environ; nil keeps the environment out
	Flags   map[string]string // key → value from the command line
	Require []string          // keys that must be set, that is, not be empty; of "a|b" one
}

// given is a value with the layer that gave it, as viper holds it.
type given struct {
	text   string
	origin Origin
	file   string // that a variable named for it, "" if none
}

// layer collects the sound values of one origin.
type layer struct {
	origin Origin
	values map[string]any // key → given
	faults *Faults
}

// take checks a value and keeps it if it is sound. It checks also what a
// higher layer will override: the fault is there the day the override is not.
func (l *layer) take(o *option, text string) { l.accept(o, given{text, l.origin, ""}) }

func (l *layer) accept(o *option, value given) {
	err := o.set(new(Config), value.text)
	if err == nil {
		l.values[o.Key] = value
		return
	}
	parts, ok := errors.AsType[partFaults](err)
	if !ok {
		parts = partFaults{{Text: value.complaint(o, err)}}
	}
	for _, part := range parts {
		l.faults.List = append(l.faults.List, Fault{Key: o.Key + part.Key, Origin: l.origin, Text: part.Text, File: value.file})
	}
}

// complaint shows nothing of a file that was read for a value: it may be another
// file than was meant, with a secret in it.
func (g given) complaint(o *option, err error) string {
	if g.file == "" || o.Secret || o.Kind == "keys" { // these never show a value
		return complaint(o.Accepts, g.text, err)
	}
	if err := CheckSecret(g.text); err != nil {
		return err.Error()
	}
	return "must be " + o.Accepts + "; the file holds something else"
}

// Load reads all layers, and returns the settings in effect. An error is a
// [*Faults] with everything that is wrong, unless the file itself cannot be
// read or is not JSON.
func Load(src Source) (*Config, error) {
	faults := &Faults{}
	newLayer := func(origin Origin) *layer { return &layer{origin, map[string]any{}, faults} }
	file, env, flags := newLayer(OriginFile), newLayer(OriginEnv), newLayer(OriginFlag)

	read, err := file.readSource(src)
	if err != nil {
		return nil, err
	}
	faults.File = read
	foreign := env.readEnv(src.Env)
	flags.readFlags(src.Flags)

	layers, err := stack(file, env, flags)
	if err != nil {
		return nil, err
	}
	c := &Config{File: read}
	c.fill(layers)
	c.check(faults, src.Require)
	c.suspect(foreign)
	if len(faults.List) > 0 {
		return nil, faults
	}
	return c, nil
}

// readSource reads the file that src means, and returns its name, "" if none.
func (l *layer) readSource(src Source) (string, error) {
	if src.File != "" {
		return src.File, l.readFile(src.File)
	}
	if src.NoFile {
		return "", nil
	}
	path := filepath.Join(src.Dir, DefaultFile)
	err := l.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return path, err
}

func (l *layer) readFlags(flags map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		if o := find(key); o != nil {
			l.take(o, flags[key])
		} else {
			l.faults.add(l.origin, key, "unknown key"+didYouMean(key, keys(), asKey))
		}
	}
}

func asKey(key string) string { return key }

// stack puts the layers on top of one another: viper looks at what is set
// first, then at the merged layers, then at the defaults.
func stack(file, env, flags *layer) (*viper.Viper, error) {
	v := viper.New()
	for _, o := range options {
		v.SetDefault(o.Key, given{o.Default, OriginDefault, ""})
	}
	for _, l := range []*layer{file, env} {
		if err := v.MergeConfigMap(l.values); err != nil {
			return nil, err
		}
	}
	for key, value := range flags.values {
		v.Set(key, value)
	}
	return v, nil
}

func (c *Config) fill(layers *viper.Viper) {
	for _, o := range options {
		value, _ := layers.Get(o.Key).(given)
		_ = o.set(c, value.text) // take has checked it; a test checks the defaults
		shown := value.text
		switch {
		case o.Secret && shown != "":
			shown = redacted
		case o.Kind == "keys":
			shown = showKeys(c.Application.Token.Keys)
		}
		c.values = append(c.values, Value{
			Key: o.Key, Env: o.Env, Text: shown, Default: o.Default,
			Kind: o.Kind, Help: o.Help, Origin: value.origin, File: value.file,
		})
	}
}

func (c *Config) isSet(key string) bool {
	return slices.ContainsFunc(c.values, func(v Value) bool { return v.Key == key && v.Text != "" })
}

// check adds the faults that only the settings together show. It says nothing
// more of options that have a fault of their own.
func (c *Config) check(faults *Faults, require []string) {
	for _, alternatives := range require {
		keys := strings.Split(alternatives, "|")
		if slices.ContainsFunc(keys, faults.at) || slices.ContainsFunc(keys, c.isSet) {
			continue
		}
		text := "is required; set it in the file, or set " + envName(keys[0]) + " and pass --env"
		if others := keys[1:]; len(others) > 0 {
			text += "; or set " + strings.Join(others, " or ")
		}
		faults.add(OriginDefault, keys[0], text)
	}

	c.checkRateLimit(faults)
	c.checkCORS(faults)
	c.checkServer(faults)
	c.checkRedis(faults)
	c.checkClientTLS(faults)
}

// checkClientTLS wants no TLS option that would be left out of account.
func (c *Config) checkClientTLS(faults *Faults) {
	target := c.Application.TargetHost
	for _, tls := range []struct {
		group string
		files ClientTLS
		off   bool
		on    string // what switches TLS on
	}{
		{"redis", c.Redis.TLSFiles, !c.Redis.TLS && !faults.at("redis.tls"), "redis.tls to true"},
		{"upstream", c.Upstream.TLS, target != nil && target.Scheme != "https", "application.target_host to a URL with https"},
	} {
		if f := tls.files; f.Cert == "" != (f.Key == "") {
			key, other := tls.group+".tls_cert", tls.group+".tls_key"
			if f.Cert == "" {
				key, other = other, key
			}
			faults.add(c.Origin(key), key, "a certificate and its key belong together; set "+other+" too")
		}
		for _, name := range []string{"tls_ca", "tls_cert", "tls_key", "tls_server_name"} {
			if key := tls.group + "." + name; tls.off && c.isSet(key) {
				faults.add(c.Origin(key), key, "would have no effect without TLS; set "+tls.on)
			}
		}
	}
}

// checkRateLimit refuses settings that the algorithm would ignore.
func (c *Config) checkRateLimit(faults *Faults) {
	limit := c.Application.RateLimit
	if faults.at("application.rate_limit") {
		return
	}
	if limit.Burst != 0 && limit.Algorithm != ratelimit.TokenBucket {
		faults.add(c.Origin("application.rate_limit.burst"), "application.rate_limit.burst",
			fmt.Sprintf("must be 0 with the algorithm %s; only token_bucket has a burst", limit.Algorithm))
	}
	if limit.MaxDelay != 0 && limit.Algorithm != ratelimit.LeakyBucket {
		faults.add(c.Origin("application.rate_limit.max_delay"), "application.rate_limit.max_delay",
			fmt.Sprintf("must be 0 with the algorithm %s; only leaky_bucket delays requests", limit.Algorithm))
	}
}

func (c *Config) checkServer(faults *Faults) {
	if c.Application.ForwardAuth && len(c.Application.TrustedProxies) == 0 && !faults.at("application.trusted_proxies") {
		faults.add(c.Origin("application.forward_auth"), "application.forward_auth",
			"requires application.trusted_proxies: only the proxies listed there may ask")
	}
	if s := c.Server.TLS; s.Cert == "" != (s.Key == "") || s.ClientCA != "" && s.Cert == "" {
		faults.add(OriginDefault, "server.tls", "cert and key must be set together, and client_ca needs both")
	}
}

func (c *Config) checkRedis(faults *Faults) {
	if faults.at("redis") {
		return
	}
	r := c.Redis
	if r.MasterName != "" && len(r.Addrs) == 0 && c.Origin("redis.addr") == OriginDefault {
		faults.add(c.Origin("redis.master_name"), "redis.master_name",
			"needs the Sentinels' addresses; set redis.addrs, or redis.addr for one")
	}
	for _, key := range []string{"redis.sentinel_username", "redis.sentinel_password"} {
		if c.isSet(key) && r.MasterName == "" {
			faults.add(c.Origin(key), key, "would have no effect without Sentinels; set redis.master_name")
		}
	}
	if r.SentinelUsername != "" && !c.isSet("redis.sentinel_password") {
		faults.add(c.Origin("redis.sentinel_username"), "redis.sentinel_username", "needs a password; set redis.sentinel_password")
	}
	switch {
	case r.DB == 0 || r.MasterName != "":
	case len(r.Addrs) > 1:
		faults.add(c.Origin("redis.db"), "redis.db",
			"must be 0, for several redis.addrs are a Cluster, which has no other database; for Sentinels set redis.master_name")
	case r.Cluster == "on":
		faults.add(c.Origin("redis.db"), "redis.db",
			"must be 0, for a Cluster has no other database; set redis.cluster to off for one server")
	}
	switch {
	case r.Cluster == "off" && len(r.Addrs) > 1 && r.MasterName == "":
		faults.add(c.Origin("redis.cluster"), "redis.cluster",
			"is off, but several redis.addrs are a Cluster; name one address, or the Sentinels' redis.master_name")
	case r.Cluster == "on" && r.MasterName != "":
		faults.add(c.Origin("redis.cluster"), "redis.cluster",
			"is on, but redis.master_name is for Sentinels, which watch no Cluster; set only one of the two")
	}
}
