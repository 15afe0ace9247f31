package cli

import (
	"strings"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/term"
)

// A table that is wider than the terminal is a list of lines.
func TestUsagesOnANarrowTerminal(t *testing.T) {
	usages := []desk.Standing{{APIKey: "an-api-key-of-tests", KeyHash: "17a15a23a425", Label: "ACME, billing", Limit: 10, Used: 7, Remaining: 3, ResetsIn: 30}}
	for width, want := range map[int]string{
		0:  "API_KEY              KEY_HASH      USED  LIMIT  LEFT  RESETS  REFUSED  LABEL\nan-api-key-of-tests  17a15a23a425  7     10     3     30s     0        ACME, billing\n",
		80: "API_KEY              KEY_HASH      USED  LIMIT  LEFT  RESETS  REFUSED  LABEL\nan-api-key-of-tests  17a15a23a425  7     10     3     30s     0        ACME, bi…\n",
		40: "an-api-key-of-tests  17a15a23a425\n  used 7 of 10, 3 left, resets in 30s,\n  refused 0  # ACME, billing\n",
	} {
		var b strings.Builder
		if err := printUsages(&term.Sheet{To: &b, Width: width}, usages, false); err != nil || b.String() != want {
			t.Errorf("%d columns: %q, want %q (%v)", width, b.String(), want, err)
		}
	}
}
