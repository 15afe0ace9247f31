package config

import (
	"fmt"
	"strings"
)

// Reference returns a Markdown table of all options.
func Reference() string {
	var b strings.Builder
	b.WriteString("| Key | Environment | Kind | Default | Meaning |\n|---|---|---|---|---|\n")
	for _, o := range options {
		def := "not set"
		if o.Default != "" {
			def = "`" + o.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", o.Key, o.Env, cell(o.Accepts), cell(def), cell(o.Help))
	}
	return b.String()
}

// A bar ends a Markdown table's cell and a star may begin emphasis.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, `\`, `\\`).Replace(text)
}

// EnvExample returns the contents of .env.example: a line for every option, with
// the values of the example config.json and otherwise the defaults. A POSIX shell
// and docker compose's env_file read the same values from it.
func EnvExample() string {
	var b strings.Builder
	b.WriteString("# Every option of tykctl, for `tykctl serve --env`. An empty value counts as not set.\n")
	b.WriteString("# Replace the secret by one from `tykctl secret`: this one is public.\n")
	b.WriteString("# With _FILE behind its name, a variable names a file that holds the value, as in\n")
	b.WriteString("# " + envName("application.token.jwt_secret") + fileSuffix + "=/run/secrets/jwt_secret.\n")
	for _, o := range options {
		value := o.Default
		if o.Example != "" {
			value = o.Example
		}
		fmt.Fprintf(&b, "\n# %s: %s (%s)\nexport %s=%s\n", o.Key, o.Help, o.Accepts, o.Env, shellQuote(value))
	}
	return b.String()
}

// shellQuote leaves plain values bare. Within single quotes shells and env_file
// parsers alike take everything literally; only a single quote has no spelling
// that both understand, so no default or example may hold one.
func shellQuote(value string) string {
	special := strings.ContainsFunc(value, func(r rune) bool {
		return !strings.ContainsRune("+-./:=_,@%", r) &&
			(r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if special {
		return "'" + value + "'"
	}
	return value
}
