package route

import "strings"

// sampleSegment stands for whatever a wildcard takes in.
const sampleSegment = "example"

// Sample returns a request that the pattern allows: its method, "" for any, and
// a path in which an example stands for each wildcard. A pattern that [Check]
// refuses is taken for the path that it matches.
func Sample(pattern string) (method, path string) {
	method, path, fault := parse(pattern)
	if fault != "" {
		return "", pattern
	}
	if beneath, ok := strings.CutSuffix(path, "**"); ok {
		path = beneath + "*"
	}
	return method, strings.ReplaceAll(path, "*", sampleSegment)
}
