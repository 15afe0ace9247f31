package config

import (
	"fmt"
	"slices"
	"strings"
)

// Faults is everything that is wrong with a configuration, in the order found:
// file, environment, flags, then what only the whole shows.
type Faults struct {
	File string // the file that was read, "" if none
	List []Fault
}

// Fault is one thing that is wrong. It never shows a secret.
type Fault struct {
	Key    string `json:"key"`    // full key, or the environment's name if it is no option's
	Origin Origin `json:"origin"` // OriginDefault when no layer alone is at fault
	Text   string `json:"text"`   // what is wrong, and what would be right

	File string `json:"file,omitempty"` // that a variable named for the value, "" if none
}

// Error lists all faults, one to a line, under a line that counts them.
func (f *Faults) Error() string {
	name, plural := "configuration", "s"
	if slices.ContainsFunc(f.List, func(fault Fault) bool { return fault.Origin == OriginFile }) {
		name = f.File
	}
	if len(f.List) == 1 {
		plural = ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d fault%s:", name, len(f.List), plural)
	for _, fault := range f.List {
		fmt.Fprintf(&b, "\n  %s", fault)
	}
	return b.String()
}

// String is the fault in one line: key, layer unless it is the file, text.
func (f Fault) String() string {
	key, _, _ := strings.Cut(f.Key, "[")
	switch o := find(key); {
	case f.File != "" && o != nil:
		return fmt.Sprintf("%s (%s%s=%s): %s", f.Key, o.Env, fileSuffix, printable(f.File), f.Text)
	case f.Origin == OriginEnv && o != nil:
		return fmt.Sprintf("%s (%s): %s", f.Key, o.Env, f.Text)
	case f.Origin == OriginEnv, f.Origin == OriginFlag:
		return fmt.Sprintf("%s (%s): %s", f.Key, f.Origin, f.Text)
	default:
		return f.Key + ": " + f.Text
	}
}

func (f *Faults) add(origin Origin, key, text string) {
	f.List = append(f.List, Fault{Key: key, Origin: origin, Text: text})
}

// at reports whether a key, or a key of this group, has a fault already.
func (f *Faults) at(key string) bool {
	return slices.ContainsFunc(f.List, func(fault Fault) bool {
		rest, found := strings.CutPrefix(fault.Key, key)
		return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// didYouMean proposes which of names an unknown key was meant for: the nearest in
// spelling, else those with the same last part. It is "" when nothing is near.
// spell writes a key as the layer does.
func didYouMean(key string, names []string, spell func(key string) string) string {
	key = strings.ToLower(key)
	last := key[strings.LastIndexByte(key, '.')+1:]
	nearest, best := "", min(3, 1+len(key)/4)
	var namesakes []string
	for _, candidate := range names {
		folded := strings.ToLower(candidate)
		if d := distance(key, folded, best); d < best {
			nearest, best = candidate, d
		}
		if strings.HasSuffix(folded, "."+last) {
			namesakes = append(namesakes, spell(candidate))
		}
	}
	switch {
	case nearest != "":
		return "; did you mean " + spell(nearest) + "?"
	case len(namesakes) > 0:
		return "; did you mean " + strings.Join(namesakes, " or ") + "?"
	default:
		return ""
	}
}

// distance is the number of single-byte edits (Levenshtein) from a to b, or
// limit where their lengths alone make it that many.
func distance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
