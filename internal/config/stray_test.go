package config

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckSecret(t *testing.T) {
	for text, want := range map[string]string{
		canary + "\n":              "byte 40, the last, is a line feed (0x0A); remove it, because every byte counts",
		canary + "\r":              "byte 40, the last, is a carriage return (0x0D); remove it, because every byte counts",
		canary + "\r\n":            "byte 40 is a carriage return (0x0D); remove it, because every byte counts",
		canary + " ":               "byte 40, the last, is a space (0x20); remove it, because every byte counts",
		" " + canary:               "byte 1, the first, is a space (0x20); remove it, because every byte counts",
		"é\t" + canary:             "byte 3 is a tab (0x09); remove it, because every byte counts",
		"\x00" + canary:            "byte 1, the first, is a NUL (0x00); remove it, because every byte counts",
		"a\x1b" + canary:           "byte 2 is a control character (0x1B); remove it, because every byte counts",
		"a\u0085" + canary:         "byte 2 is white space (U+0085); remove it, because every byte counts",
		"a\u00a0" + canary:         "byte 2 is a no-break space (U+00A0); remove it, because every byte counts",
		"\ufeff" + canary:          "byte 1, the first, is a byte order mark (U+FEFF); remove it, because every byte counts",
		canary + "\u200b":          "byte 40, the last, is an invisible character (U+200B); remove it, because every byte counts",
		"\n":                       "byte 1, the last, is a line feed (0x0A); remove it, because every byte counts",
		`"` + canary + `"`:         `bytes 1 and 41 are double quotes (") around it; remove them, because every byte counts`,
		"'" + canary + "'":         "bytes 1 and 41 are single quotes (') around it; remove them, because every byte counts",
		"`" + canary + "`":         "bytes 1 and 41 are backquotes (`) around it; remove them, because every byte counts",
		`""`:                       `bytes 1 and 2 are double quotes (") around it; remove them, because every byte counts`,
		"\xff\xfec\x00a\x00\n\x00": "is UTF-16, as PowerShell's > writes it; save it as UTF-8 without a byte order mark",

		"":                             "",
		canary:                         "",
		"correct horse battery":        "", // a passphrase
		`"` + canary:                   "", // a random one may begin so
		canary + "'":                   "",
		`"a' b`:                        "",
		`"`:                            "",
		"passwörd 👩\u200d👧 \u200c!":    "", // joiners belong to what people type
		"\x80\x00\n random bytes\r\n ": "",
	} {
		err := CheckSecret(text)
		if got := errorText(err); got != want {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
		if shows(errorText(err)) {
			t.Errorf("%q: the error shows it: %v", text, err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The kind holds for every option that takes a text as it stands, in every layer.
func TestStrayBytes(t *testing.T) {
	for _, o := range options {
		switch o.Kind {
		case "secret", "path":
		case "text":
			if o.Key == "application.token.prefix" {
				continue // which is stricter
			}
		default:
			continue
		}
		for _, text := range []string{canary + "\r", canary + " ", `"` + canary + `"`, "\u200b" + canary} {
			for name, src := range map[string]Source{
				"env":  {Env: []string{o.Env + "=" + text}},
				"flag": {Flags: map[string]string{o.Key: text}},
			} {
				src.NoFile = true
				_, err := Load(src)
				if err == nil || !strings.Contains(err.Error(), "because every byte counts") {
					t.Errorf("%s: %s %q: %v", o.Key, name, text, err)
				}
				if err != nil && shows(err.Error()) {
					t.Errorf("%s: %s: the value is shown: %v", o.Key, name, err)
				}
			}
		}
	}
	_, err := Load(Source{NoFile: true, Env: []string{
		`TYK_PROX_APPLICATION__TOKEN__KEYS=[{"kid":"a","algorithm":"HS256","secret":"` + canary + `\n"}]`,
	}})
	const want = "configuration: 1 fault:\n  application.token.keys[0].secret (TYK_PROX_APPLICATION__TOKEN__KEYS): " +
		"byte 40, the last, is a line feed (0x0A); remove it, because every byte counts"
	if errorText(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A value that was quoted for a shell, or has a Windows line end, says so whatever its kind.
func TestQuotedValues(t *testing.T) {
	for entry, want := range map[string]string{
		`TYK_PROX_APPLICATION__PORT="8080"`: `application.port (TYK_PROX_APPLICATION__PORT): must be a whole number from 0 to 65535, not "\"8080\""; ` +
			"remove the quotation marks, which count as part of the value (docker's --env-file keeps them)",
		"TYK_PROX_LOG__COLORED=true\r": `log.colored (TYK_PROX_LOG__COLORED): must be true or false, not "true\r"; ` +
			"remove the carriage return at its end, as a file with Windows line ends leaves it",
		"TYK_PROX_REDIS__ADDRS='a:1,b:1'": `redis.addrs (TYK_PROX_REDIS__ADDRS): element 1 must be host:port, not "'a:1"; ` +
			"remove the quotation marks, which count as part of the value (docker's --env-file keeps them)",
		"TYK_PROX_APPLICATION__TOKEN__KEYS='[]'": "application.token.keys (TYK_PROX_APPLICATION__TOKEN__KEYS): must be a JSON list of objects with kid, algorithm, " +
			"secret or file, and optionally not_before and retire_at, but is not JSON, or not a list; " +
			"remove the quotation marks, which count as part of the value (docker's --env-file keeps them)",
	} {
		_, err := Load(Source{NoFile: true, Env: []string{entry}})
		if got := errorText(err); got != "configuration: 1 fault:\n  "+want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// FuzzCheckSecret holds that a fault is one line, and that what has none has no
// line's end at its end.
func FuzzCheckSecret(f *testing.F) {
	for _, text := range []string{"", "a b", "a\r", `"a"`, "\xff\xfe", "\u00a0", "\x80\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := CheckSecret(text)
		if err != nil {
			if _, ok := errors.AsType[flaw](err); !ok || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		if utf8.ValidString(text) && text != strings.TrimSpace(text) {
			t.Errorf("%q has white space around it", text)
		}
	})
}
