package registry

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing that was started is left running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
