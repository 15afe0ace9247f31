// Command tykctl is an API gateway and its operator's tool.
package main

import (
	"os"

	"github.com/tykctl/tykctl/internal/cli"
)

func main() { os.Exit(cli.Main()) }
