package cli

import (
	"fmt"
	"runtime/debug"
)

// version may be set by the linker; without it the build's own record is used.
var version string

// buildVersion is what --version and tykctl_build_info say: version, revision
// (when the build knows it) and Go's version.
func buildVersion() string {
	name, goVersion := programVersion()
	return fmt.Sprintf("%s (%s)", name, goVersion)
}

func programVersion() (name, goVersion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", "unknown"
	}
	name = version
	if name == "" {
		name = info.Main.Version
	}
	if name == "" || name == "(devel)" {
		name = "devel"
	}
	return name, info.GoVersion
}
