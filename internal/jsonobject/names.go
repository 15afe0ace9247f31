package jsonobject

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// ErrNames means that readers of an object may disagree about which member counts (RFC
// 7493, 2.3).
var ErrNames = errors.New("ambiguous names")

// CheckNames refuses an object with a repeated name, or with a name that differs from a
// known one only in letter case. The text must be a valid JSON object. Nested objects are
// not checked.
func CheckNames(text string, known []string) error {
	seen := map[string]struct{}{}
	for name := range names(text) {
		if _, twice := seen[name]; twice {
			return fmt.Errorf("%w: %.40q appears twice", ErrNames, name)
		}
		seen[name] = struct{}{}
		if slices.Contains(known, name) {
			continue
		}
		for _, k := range known {
			if strings.EqualFold(name, k) {
				return fmt.Errorf("%w: %.40q must be written %q", ErrNames, name, k)
			}
		}
	}
	return nil
}

// names yields the names of an object's members.
func names(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		depth, due := 0, false // whether a name comes next
		for i := 0; i < len(text); i++ {
			switch text[i] {
			case '{', '[':
				depth++
				due = depth == 1
			case '}', ']':
				depth--
			case ',':
				due = depth == 1
			case '"':
				end := i + 1
				for ; text[end] != '"'; end++ {
					if text[end] == '\\' {
						end++
					}
				}
				if due && !yield(unquote(text[i:end+1])) {
					return
				}
				i, due = end, false
			}
		}
	}
}

func unquote(quoted string) string {
	if !strings.Contains(quoted, `\`) {
		return quoted[1 : len(quoted)-1]
	}
	var name string
	_ = json.Unmarshal([]byte(quoted), &name) // the object is valid, so its strings are
	return name
}
