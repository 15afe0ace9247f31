package config

import (
	"fmt"
	"io"
	"log/slog"
)

// ExampleSecret is the jwt_secret that the example configuration ships. It is
// public, so whoever can reach a gateway that uses it can sign tokens for it.
const ExampleSecret = "II+NZDtODCTp0eAGX0/3HNdaExOf+M1uesFHdN+IFcTD774aaeJrJIOMS4aYhi+l" //nolint:gosec // public, as said above

const redacted = "[redacted]"

// Secret is a text that every formatting shows as "[redacted]", even when it is
// empty. Only [Secret.Reveal] gives it away. The zero Secret is empty.
//
// The text hangs on a pointer because fmt calls no methods on unexported
// fields: a Secret inside one would otherwise be printed as it is.
type Secret struct{ text *string }

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// Format implements [fmt.Formatter] for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and so encoding/json's rule
// for values and for map keys.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
