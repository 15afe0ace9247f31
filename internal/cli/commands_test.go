package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are all that can be run, the root and those that only hold others
// among them.
func commands(t *testing.T) []*cobra.Command {
	t.Helper()
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, environ: func() []string { return nil }}
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
		for line := range strings.Lines(cmd.Long) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 90 {
				t.Errorf("%s: a line of %d columns in its help: %s", path, n, line)
			}
		}
	}
}

// TestExamples has every example parsed: a command that is there, with flags
// that it has.
func TestExamples(t *testing.T) {
	for _, cmd := range commands(t) {
		for line := range strings.Lines(cmd.Example) {
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

// TestWrongUsage gives every command a flag that it does not have.
func TestWrongUsage(t *testing.T) {
	for _, cmd := range commands(t) {
		var out, errs bytes.Buffer
		a := &app{in: strings.NewReader(""), out: &out, err: &errs, environ: func() []string { return nil }}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--no-such-flag")
		if code := a.run(t.Context(), args); code != exitUsage {
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
