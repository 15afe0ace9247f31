package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fileSuffix makes of an option's variable the one that names a file with the
// value, as Docker and Kubernetes mount secrets.
const fileSuffix = "_FILE"

// readEnv takes the variables of options, and returns the names of those that
// Kubernetes set.
func (l *layer) readEnv(environ []string) (foreign []string) {
	set := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix) && value != "" {
			set[name] = value
		}
	}
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		variable, ofFile := strings.CutSuffix(name, fileSuffix)
		switch o := byEnv(variable); {
		case o != nil && !ofFile:
			l.take(o, set[name])
		case o != nil && set[variable] != "":
			l.faults.add(l.origin, o.Key, "is set twice, there and by "+name+"; keep one of the two")
		case o != nil:
			l.takeFile(o, set[name])
		case ofKubernetes(name, set[name]):
			foreign = append(foreign, name)
		default:
			spell := envName
			if ofFile {
				spell = func(key string) string { return envName(key) + fileSuffix }
			}
			l.faults.add(l.origin, join("", name), "no option has this name"+didYouMean(keyOf(variable), keys(), spell))
		}
	}
	return foreign
}

func keyOf(variable string) string {
	return strings.ReplaceAll(strings.TrimPrefix(variable, envPrefix), "__", ".")
}

// byEnv returns the option with this variable, or nil.
func byEnv(variable string) *option {
	if o := find(keyOf(variable)); o != nil && o.Env == variable {
		return o
	}
	return nil
}

// takeFile takes the value that a file holds.
func (l *layer) takeFile(o *option, path string) {
	text, err := readValue(path)
	if err != nil {
		l.faults.List = append(l.faults.List, Fault{Key: o.Key, Origin: l.origin, Text: "the file " + err.Error(), File: path})
		return
	}
	l.accept(o, given{text, l.origin, path})
}

// printable is a path as it is, quoted where it could be taken for something else.
func printable(path string) string {
	if quoted := strconv.Quote(path); quoted != `"`+path+`"` {
		return quoted
	}
	return path
}

// What Kubernetes and Docker set for a Service named tyk-prox, or tyk-prox-….
var serviceVariable = regexp.MustCompile(
	`^` + envPrefix + `([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// ofKubernetes tells a variable that Kubernetes made from one of ours that is
// misspelled: two underscores stand in ours alone, and a number may be meant as a port.
func ofKubernetes(name, value string) bool {
	return serviceVariable.MatchString(name) && !strings.Contains(name, "__") &&
		(!strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_SERVICE_") || hasTransport(name) || strings.Contains(value, "://"))
}

// hasTransport reports whether a name ends as in _80_TCP_PORT.
func hasTransport(name string) bool {
	name = strings.TrimSuffix(name, "_PORT")
	return strings.HasSuffix(name, "_TCP") || strings.HasSuffix(name, "_UDP") || strings.HasSuffix(name, "_SCTP")
}
