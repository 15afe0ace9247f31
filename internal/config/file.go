package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// A shape is a set of JSON types.
type shape uint8

const (
	asString shape = 1 << iota
	asNumber
	asBool
	asList
	asObject
	asNull
	asJSON // of the option, and not the value: taken as it is written
)

// shapeOf tells a valid JSON value's type, and names it for a fault.
func shapeOf(raw json.RawMessage) (shape, string) {
	switch raw[0] {
	case '"':
		return asString, "a string"
	case 't', 'f':
		return asBool, "a boolean"
	case '[':
		return asList, "a list"
	case '{':
		return asObject, "an object"
	case 'n':
		return asNull, "null"
	default:
		return asNumber, "a number"
	}
}

// readFile adds a JSON file's values to the layer. The error says that the file
// is unreadable or not JSON; wrong content becomes faults.
func (l *layer) readFile(path string) error {
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%s %w", printable(path), cannotBeRead(err))
	}
	if err := l.readJSON(content); err != nil {
		return fmt.Errorf("%s:%w", path, err)
	}
	return nil
}

// readJSON is readFile after the reading; its errors begin with line:column.
func (l *layer) readJSON(content []byte) error {
	content = bytes.TrimPrefix(content, []byte(byteOrderMark)) // which editors on Windows put there
	if name := encodingOf(content); name != "" {
		return fmt.Errorf("1:1: the file is %s; save it as UTF-8", name)
	}
	if i := invalidUTF8(content); i >= 0 {
		return fmt.Errorf("%s: not UTF-8; save the file as UTF-8", position(content, i))
	}
	var root json.RawMessage
	if err := json.Unmarshal(content, &root); err != nil {
		return notJSON(content, err)
	}
	if found, name := shapeOf(root); found != asObject {
		return fmt.Errorf("1:1: must be an object, not %s", name)
	}
	return l.object("", root)
}

// object walks the members of one group; "" is the whole file.
func (l *layer) object(group string, raw json.RawMessage) error {
	repeated := func(name string) { l.faults.add(l.origin, join(group, name), givenTwice) }
	return members(raw, repeated, func(name string, value json.RawMessage) error {
		return l.member(group, name, value)
	})
}

const givenTwice = "is set twice (letter case does not matter); remove one"

// members calls visit for each member of an object, or repeated for a name that it
// had already. It decodes by tokens because a map would lose those.
func members(object json.RawMessage, repeated func(name string), visit func(name string, value json.RawMessage) error) error {
	in := json.NewDecoder(bytes.NewReader(object))
	if _, err := in.Token(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return err
		}
		name, _ := token.(string)
		folded := strings.ToLower(name)
		if seen[folded] {
			repeated(name)
			continue
		}
		seen[folded] = true
		if err := visit(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (l *layer) member(parent, name string, value json.RawMessage) error {
	key := join(parent, name)
	if strings.Contains(name, ".") {
		l.faults.add(l.origin, key, "unknown key; nest objects in place of the dots")
		return nil
	}
	if o := find(key); o != nil {
		l.option(o, value)
		return nil
	}
	declared := group(key)
	if declared == "" {
		l.faults.add(l.origin, key, "unknown key"+didYouMean(key, keysAndGroups(), asKey))
		return nil
	}
	if found, name := shapeOf(value); found != asObject {
		l.faults.add(l.origin, declared, "must be an object, not "+name)
		return nil
	}
	return l.object(declared, value)
}

// option brings one value to text and takes it.
func (l *layer) option(o *option, raw json.RawMessage) {
	found, name := shapeOf(raw)
	switch {
	case found&o.json == 0:
		l.faults.add(l.origin, o.Key, "must be "+o.Accepts+", not "+name)
	case found == asString:
		l.take(o, unquote(raw))
	case found == asList && o.json&asJSON == 0:
		list, wrong := joinList(raw)
		if wrong != "" {
			l.faults.add(l.origin, o.Key, wrong)
			return
		}
		l.take(o, list)
	default:
		l.take(o, string(raw))
	}
}

// joinList writes a JSON list as the environment has it, or says which element
// cannot be written so.
func joinList(raw json.RawMessage) (list, wrong string) {
	var elements []json.RawMessage
	_ = json.Unmarshal(raw, &elements) // raw is a valid list
	texts := make([]string, len(elements))
	for i, element := range elements {
		if found, name := shapeOf(element); found != asString {
			return "", fmt.Sprintf("element %d must be a string, not %s", i+1, name)
		}
		texts[i] = unquote(element)
		if strings.TrimSpace(texts[i]) == "" || strings.Contains(texts[i], ",") {
			return "", fmt.Sprintf("element %d must hold one value: it is empty, or has a comma", i+1)
		}
	}
	return strings.Join(texts, ","), ""
}

func unquote(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s) // raw is a valid string
	return s
}

// join appends a member's name as it was written, quoted where it could be
// taken for something else.
func join(group, name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if !plain {
		name = fmt.Sprintf("%.60q", name)
	}
	if group == "" {
		return name
	}
	return group + "." + name
}

func invalidUTF8(content []byte) int {
	for i := 0; i < len(content); {
		r, size := utf8.DecodeRune(content[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// position is the line and column, in characters, of the byte at offset.
func position(content []byte, offset int) string {
	before := content[:min(max(offset, 0), len(content))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("%d:%d", line, column)
}
