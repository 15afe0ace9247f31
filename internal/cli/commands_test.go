package cli

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are all that can be run, the root and those that only hold others
// among them.
func commands(t *testing.T) []*cobra.Command {
	t.Helper()
	a := &Program{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Environ: func() []string { return nil }}
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		all = append(all, cmd)
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(a.root())
	if len(all) < 20 {
		t.Fatalf("found only %d commands", len(all))
	}
	return all
}

// TestHelp holds every command to what its help has to say.
func TestHelp(t *testing.T) {
	for _, cmd := range commands(t) {
		path := cmd.CommandPath()
		if !cmd.Runnable() {
			t.Errorf("%s does nothing, not even show its help: make it a group", path)
		}
		if cmd.Short == "" || strings.ContainsAny(cmd.Short, "\n.") {
			t.Errorf("%s: its purpose is %q, want one line without a full stop", path, cmd.Short)
		}
		if !strings.Contains(cmd.Long, "\nExit codes: 0 ") {
			t.Errorf("%s: its help does not name its exit codes", path)
		}
		examples := 0
		for line := range strings.Lines(cmd.Example) {
			if strings.HasPrefix(line, "  tykctl ") || strings.Contains(line, "$(tykctl ") || strings.Contains(line, "<(tykctl ") || strings.Contains(line, "| tykctl ") {
				examples++
			}
		}
		if examples < 2 {
			t.Errorf("%s: %d examples, want 2", path, examples)
		}
		for line := range strings.Lines(stdout(t, append(strings.Fields(path)[1:], "--help")...)) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > helpWidth {
				t.Errorf("%s: a line of %d columns in its help: %s", path, n, line)
			}
		}
	}
}

// TestExamples has every example parsed: a command that is there, with flags
// that it has.
func TestExamples(t *testing.T) {
	for _, cmd := range commands(t) {
		for line := range strings.Lines(strings.ReplaceAll(cmd.Example, "\\\n", "")) {
			_, line, found := strings.Cut(line, "tykctl ")
			if !found {
				continue
			}
			words := strings.Fields(strings.TrimRight(line, ")\"\n"))
			of, rest, err := cmd.Root().Find(words)
			if err != nil || len(rest) > 0 && of.HasAvailableSubCommands() && !strings.HasPrefix(rest[0], "-") {
				t.Errorf("%s: no such command: %s", cmd.CommandPath(), line)
				continue
			}
			of.InitDefaultHelpFlag()
			for _, word := range rest {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if isFlag && name != "" && of.Flag(name) == nil {
					t.Errorf("%s: no flag --%s: %s", cmd.CommandPath(), name, line)
				}
			}
		}
	}
}

// TestCompletionsReadWell holds what a shell shows beside commands and flags to
// plain text.
func TestCompletionsReadWell(t *testing.T) {
	for _, cmd := range commands(t) {
		for _, typed := range []string{"", "-"} {
			args := append(append([]string{cobra.ShellCompRequestCmd}, strings.Fields(cmd.CommandPath())[1:]...), typed)
			if out := stdout(t, args...); strings.Contains(out, "`") {
				t.Errorf("%s: backquotes in\n%s", cmd.CommandPath(), out)
			}
		}
	}
}

// TestBashCompletes asks bash itself, without the package bash-completion.
func TestBashCompletes(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "tykctl")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "keys.json")
	text := `{"application":{"token":{"keys":[{"kid":"2026-11","algorithm":"HS256","secret":"` + scriptSecret + `"}]}}}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "completion")
	if err := os.WriteFile(script, []byte(stdout(t, "completion", "bash", "--no-descriptions")), 0o600); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]string{
		"tykctl lim":                                    "limits",
		"tykctl token re":                               "revoke",
		"tykctl limits top --by ''":                     "near refused rate",
		"tykctl limits top --redis a : 1 --by r":        "refused rate", // as bash splits a:1
		"tykctl limits top --by = r":                    "refused rate",
		"tykctl token gen --config keys.json --kid ''":  "2026-11",
		"tykctl limits top --redis localhost : 1 --out": "--output",
	} {
		cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile", "-c",
			`source completion; COMP_WORDS=(`+words+`); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE="`+words+`"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; __start_tykctl tykctl; echo ${COMPREPLY[*]}`)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.Output() // on stderr bash regrets that no completion is under way
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", words, got, want, err)
		}
	}
}

// TestWrongUsage gives every command a flag that it does not have.
func TestWrongUsage(t *testing.T) {
	for _, cmd := range commands(t) {
		var out, errs bytes.Buffer
		a := &Program{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: func() []string { return nil }}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--no-such-flag")
		if code := a.Run(t.Context(), args); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, exitUsage)
		}
		if want := "tykctl: unknown flag: --no-such-flag\nSee '" + cmd.CommandPath() + " --help'.\n"; errs.String() != want || out.Len() > 0 {
			t.Errorf("%v: it says %q and %q, want %q on stderr", args, errs.String(), out.String(), want)
		}
	}
}

// TestFlagsComplete holds flags with fixed values to offering them.
func TestFlagsComplete(t *testing.T) {
	offers := map[string]string{"output": "text\njson\n:4\n", "bytes": "32\n48\n64\n:4\n", "redis": ":4\n"}
	for _, cmd := range commands(t) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			want, fixed := offers[f.Name]
			if !fixed {
				return
			}
			got := stdout(t, append(append([]string{cobra.ShellCompRequestCmd}, strings.Fields(cmd.CommandPath())[1:]...), "--"+f.Name, "")...)
			if got != want {
				t.Errorf("%s --%s offers %q, want %q", cmd.CommandPath(), f.Name, got, want)
			}
		})
	}
}
