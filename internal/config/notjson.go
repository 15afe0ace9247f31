package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const byteOrderMark = "\ufeff"

// encodingOf names the encoding of a file that is not UTF-8, or "". Without a byte
// order mark, JSON in UTF-16 shows by the zero in its first character.
func encodingOf(content []byte) string {
	head := string(content[:min(len(content), 4)])
	switch {
	case strings.HasPrefix(head, "\xff\xfe\x00\x00"), strings.HasPrefix(head, "\x00\x00\xfe\xff"):
		return "UTF-32"
	case strings.HasPrefix(head, "\xff\xfe"), strings.HasPrefix(head, "\xfe\xff"):
		return "UTF-16, as PowerShell's > writes it"
	case len(head) >= 2 && (head[0] == 0) != (head[1] == 0):
		return "UTF-16"
	default:
		return ""
	}
}

// Formats that a file may be in by mistake, by its first line that says something.
var formats = []struct {
	line *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`^(export\s+)?` + envPrefix + `\w*=`), "a list of environment variables; load them into the environment (set -a; . ./FILE) and pass --env"},
	{regexp.MustCompile(`^\[\[?[A-Za-z_][\w."\s-]*\]|^[\w."-]+\s*=\s`), "TOML"},
	{regexp.MustCompile(`^---|^%YAML|^-\s|^[\w."'-]+\s*:(\s|$)`), "YAML"},
	{regexp.MustCompile(`^<`), "XML or HTML"},
}

// formatOf names the format of a file that is not JSON, or "".
func formatOf(content []byte) string {
	for line := range bytes.Lines(content) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		for _, f := range formats {
			if f.line.Match(line) {
				return f.name
			}
		}
		break
	}
	return ""
}

// notJSON says what is wrong with a file that is not JSON. It quotes nothing of
// it: after a misplaced quotation mark a secret stands anywhere.
func notJSON(content []byte, err error) error {
	switch name := formatOf(content); {
	case len(bytes.TrimSpace(content)) == 0:
		return errors.New("1:1: the file is empty; it must hold a JSON object, at least {}")
	case strings.HasPrefix(name, "a list"):
		return errors.New("1:1: not JSON: this is " + name)
	case name != "":
		return errors.New("1:1: not JSON: this is " + name + "; write it as JSON, as in the config.json that is shipped")
	}
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return errors.New("1:1: not JSON")
	}
	offset := max(int(syntax.Offset)-1, 0)
	return fmt.Errorf("%s: not JSON: %s", position(content, offset), inWords(syntax.Error(), content[min(offset, len(content)):]))
}

// What encoding/json's messages end with, and what they mean.
var syntaxErrors = []struct{ tail, words string }{
	{"unexpected end of JSON input", "the file ends too early; a closing brace, bracket or quotation mark is missing"},
	{"after top-level value", "the object ends before this; remove what follows it"},
	{"looking for beginning of value", "a value is expected here: text in double quotes, a number, true, false, a list or an object"},
	{"looking for beginning of object key string", "a name in double quotes is expected here"},
	{"after object key", "a colon is expected here"},
	{"after object key:value pair", "a comma or a closing brace is expected here; a quotation mark within text is written \\\""},
	{"after array element", "a comma or a closing bracket is expected here; a quotation mark within text is written \\\""},
	{"in string literal", "text must not hold a line break or another control character; write \\n for a line break"},
	{"in string escape code", "a backslash in text must be written twice"},
	{"in \\u hexadecimal character escape", "\\u needs four hexadecimal digits"},
	{"exceeded max depth", "objects and lists are nested too deeply"},
}

func inWords(message string, rest []byte) string {
	switch {
	case bytes.HasPrefix(rest, []byte("//")), bytes.HasPrefix(rest, []byte("/*")), bytes.HasPrefix(rest, []byte("#")):
		return "JSON has no comments; remove it"
	case strings.HasSuffix(message, "object key string") && bytes.HasPrefix(rest, []byte("}")):
		return "a comma stands before this closing brace; remove the comma"
	case strings.HasSuffix(message, "beginning of value") && bytes.HasPrefix(rest, []byte("]")):
		return "a comma stands before this closing bracket; remove the comma"
	}
	for _, e := range syntaxErrors {
		if strings.HasSuffix(message, e.tail) {
			return e.words
		}
	}
	if strings.Contains(message, "in literal") {
		return "text must stand in double quotes; only true, false, null and numbers stand without"
	}
	return "this is not a number as JSON writes it"
}
