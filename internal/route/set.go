// Package route says which requests a key may make: it compiles the route
// patterns of a record and matches methods and paths against them.
//
// A pattern is an exact path, or a path with wildcards, with an optional method
// in front:
//
//	/api/v1/test        that path and no other
//	/users/*            one non-empty segment: /users/7, not /users/ or /users/7/posts
//	/users/*/posts      also in the middle
//	/files/**           everything beneath /files/, and /files/ itself, not /files
//	GET /users/*        the same, for one method
//
// Matching compares the raw path byte for byte: letter case and a trailing slash matter,
// and percent-encodings are not decoded. Package inbound has already refused ambiguous
// paths. The package contains values only: no I/O, no HTTP, no knowledge of tokens or
// records.
package route

import (
	"slices"
	"strings"
)

// Set is a compiled list of patterns. A request is allowed if any of them
// matches. The zero Set allows nothing. A Set never changes, and is safe for
// concurrent use.
type Set struct {
	patterns  []string
	exact     map[string][]string // path to its methods, "" for any
	wildcards []wildcard
}

// Compile compiles patterns. It never fails: a pattern that [Check] refuses matches only
// a path that equals it byte for byte, so that a bad entry allows less than intended and
// never more. The slice is copied.
func Compile(patterns []string) Set {
	s := Set{
		patterns: slices.Clone(patterns),
		exact:    make(map[string][]string, len(patterns)),
	}
	for _, pattern := range patterns {
		method, path, fault := parse(pattern)
		switch {
		case fault != "":
			s.exact[pattern] = append(s.exact[pattern], "")
		case strings.Contains(path, "*"):
			s.wildcards = append(s.wildcards, newWildcard(method, path))
		default:
			s.exact[path] = append(s.exact[path], method)
		}
	}
	return s
}

// Allows reports whether a pattern of the set matches the method and the raw
// path (without a query). Exact patterns cost one map look-up in total; patterns with
// wildcards are tried in turn. It does not allocate.
func (s Set) Allows(method, path string) bool {
	for _, m := range s.exact[path] {
		if m == "" || m == method {
			return true
		}
	}
	for i := range s.wildcards {
		if s.wildcards[i].matches(method, path) {
			return true
		}
	}
	return false
}

// Patterns returns the patterns as given to [Compile], in order. The slice is the
// caller's.
func (s Set) Patterns() []string {
	return slices.Clone(s.patterns)
}

// wildcard is a pattern with at least one * or a final **.
type wildcard struct {
	method   string   // "" for any
	literals []string // the text before, between and after the single *
	subtree  bool     // the pattern ends in **: the last literal is a prefix
}

func newWildcard(method, path string) wildcard {
	prefix, subtree := strings.CutSuffix(path, "**")
	return wildcard{
		method:   method,
		literals: strings.Split(prefix, "*"),
		subtree:  subtree,
	}
}

// matches consumes path from the left: a literal, then one segment, in turns.
func (w *wildcard) matches(method, path string) bool {
	if w.method != "" && w.method != method {
		return false
	}
	last := len(w.literals) - 1
	for _, literal := range w.literals[:last] {
		rest, found := strings.CutPrefix(path, literal)
		if !found {
			return false
		}
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return false
		}
		path = rest[end:]
	}
	if w.subtree {
		return strings.HasPrefix(path, w.literals[last])
	}
	return path == w.literals[last]
}
