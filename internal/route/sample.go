package route

import "strings"

// sampleSegment stands for what a wildcard matches.
const sampleSegment = "example"

// Sample returns a request that the pattern allows: its method, "" for any, and a path
// with an example in place of each wildcard. For a pattern that [Check] refuses, it
// returns the path that the pattern matches.
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
