// Package jsonobject splits JSON objects into members, and changes single members
// without touching any other byte.
package jsonobject

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNoObject means that a text is not one JSON object.
var ErrNoObject = errors.New("not a JSON object")

// Member is a member of an object, with its value as written.
type Member struct {
	Name  string
	Value json.RawMessage
	end   int // of the value in the object's text
}

// Members lists the members of the object in text, in order, including repeated ones.
func Members(text string) ([]Member, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') || !json.Valid([]byte(text)) {
		return nil, ErrNoObject
	}
	var list []Member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := Member{Name: fmt.Sprint(name)}
		if err := dec.Decode(&m.Value); err != nil {
			return nil, err
		}
		m.end = int(dec.InputOffset())
		list = append(list, m)
	}
	return list, nil
}

// Merge puts the members of the object change into the object text. It replaces the value
// of an existing member in place, wherever its name occurs and in any letter case, because
// encoding/json reads it so. It appends other members at the end.
func Merge(text, change string) (string, error) {
	changes, err := Members(change)
	if err != nil {
		return "", err
	}
	for _, c := range changes {
		there, err := Members(text)
		if err != nil {
			return "", err
		}
		text = set(text, there, c)
	}
	return text, nil
}

func set(text string, there []Member, c Member) string {
	var b strings.Builder
	done, found := 0, false
	for _, m := range there {
		if strings.EqualFold(m.Name, c.Name) {
			b.WriteString(text[done : m.end-len(m.Value)])
			b.Write(c.Value)
			done, found = m.end, true
		}
	}
	if !found {
		separator := ","
		if len(there) > 0 {
			done = there[len(there)-1].end
		} else {
			done, separator = strings.IndexByte(text, '{')+1, ""
		}
		fmt.Fprintf(&b, "%s%s%q:%s", text[:done], separator, c.Name, c.Value)
	}
	b.WriteString(text[done:])
	return b.String()
}
