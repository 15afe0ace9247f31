package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/term"
)

// version may be set by the linker; without it the build's own record is used.
var version string

// build is what this program was made from. Its JSON form is fixed for scripts.
type build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	Commit  string `json:"commit,omitempty"` // if the build knows it
}

func (a *Program) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Long: `Shows the program's version and the version of Go that built it.

With -o json it is one object: {"version","go","commit"}. "commit" is missing if
the build does not know it.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: `  tykctl version
  tykctl version -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return usage(cmd, err)
			}
			if output == "json" {
				return term.WriteJSON(a.Out, thisBuild())
			}
			_, err := fmt.Fprintf(a.Out, "tykctl %s\n", buildVersion())
			return err
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// buildVersion is what --version says: the version and Go's.
func buildVersion() string {
	name, goVersion := programVersion()
	return fmt.Sprintf("%s (%s)", name, goVersion)
}

// programVersion is what tykctl_build_info says, too.
func programVersion() (name, goVersion string) {
	b := thisBuild()
	return b.Version, b.Go
}

func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{Version: "unknown", Go: "unknown"}
	}
	b := build{Version: version, Go: info.GoVersion}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}
