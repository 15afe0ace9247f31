package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/gateway"
	"github.com/tykctl/tykctl/internal/inbound"
	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// Inspection is what was found out. Its JSON form is fixed for scripts.
type Inspection struct {
	APIKey    string          `json:"api_key"`
	Header    json.RawMessage `json:"header"`
	Claims    json.RawMessage `json:"claims"`
	Signature string          `json:"signature"`
	Record    json.RawMessage `json:"record"`
	Usage     *Standing       `json:"usage"`
	Verdict   gateway.Verdict `json:"verdict"`
	KeyHash   string          `json:"key_hash,omitempty"` // of the api_key, as in the log

	// For people; the JSON form has no place for them.
	Entry   registry.Entry `json:"-"`
	Broken  error          `json:"-"` // why there is no usage, if what is counted is the reason
	Away    error          `json:"-"` // why there is no entry, if Redis is the reason
	Request string         `json:"-"` // that the verdict is about; "" for the token alone
}

// Request is what a verdict is about; without a path, the token alone.
type Request struct{ Method, Path string }

// Inspect looks up the subject, after resolve, and computes what a request would meet
// with the code that serves requests. It takes no permit and writes nothing. verifier
// is nil if the signature cannot be checked. The error wraps [storage.ErrUnavailable]:
// there is nothing to show of a key without its record.
func Inspect(ctx context.Context, st *storage.Store, verifier *jwtauth.Verifier, s Subject, about Request, now func() time.Time) (*Inspection, error) {
	i := &Inspection{APIKey: s.APIKey, Header: s.Header, Claims: s.Claims, Signature: signatureOf(verifier, s.JWT, now())}
	if s.APIKey != "" {
		i.KeyHash = storage.KeyHash(s.APIKey)
	}
	i.lookUp(ctx, registry.New(st))
	if i.Away != nil && s.JWT == "" {
		return nil, i.Away
	}
	gw := &gateway.Gateway{Inbound: inbound.NewReader(inbound.Options{}), Verifier: verifier, Ledger: ledger.New(st, ledger.Options{}), Now: now}
	i.Verdict = gw.Explain(ctx, gateway.Question{JWT: s.JWT, APIKey: s.APIKey, Method: about.Method, Path: about.Path})
	if about.Path != "" {
		i.Request = cmp.Or(about.Method, "GET") + " " + about.Path
	}
	return i, nil
}

// Outcome is nil if a request would pass. Otherwise it wraps [storage.ErrUnavailable] if
// that is not known, else errNotValid.
func (i *Inspection) Outcome() error {
	switch v := i.Verdict; {
	case errors.Is(v.Err, storage.ErrUnavailable):
		return v.Err
	case !v.Allowed:
		return fmt.Errorf("%w: a request would get %d %s", ErrNotValid, v.Status, v.Code)
	}
	return nil
}

// signatureOf says whether a JWT was signed by the verifier's key, whatever else
// is wrong with it.
func signatureOf(v *jwtauth.Verifier, jwt string, now time.Time) string {
	if v == nil || jwt == "" {
		return "unchecked"
	}
	_, err := v.Verify(jwt, now)
	if err == nil || errors.Is(err, jwtauth.ErrExpired) || errors.Is(err, jwtauth.ErrClaims) {
		return "valid"
	}
	return "invalid"
}

// lookUp finds the key's record and its usage, as far as Redis tells.
func (i *Inspection) lookUp(ctx context.Context, book *registry.Registry) {
	if i.APIKey == "" {
		return
	}
	e, err := book.Lookup(ctx, i.APIKey)
	if errors.Is(err, storage.ErrUnavailable) {
		i.Away = err
	}
	if err != nil {
		return
	}
	i.Entry, i.Record = e, recordJSON(e)
	if e.Record == nil {
		return
	}
	if u, err := book.Usage(ctx, i.APIKey, e.Record.Limit); err == nil {
		i.Usage = new(StandingOf(i.APIKey, u))
	} else if errors.Is(err, storage.ErrUnavailable) {
		i.Away = err
	} else {
		i.Broken = err
	}
}

// recordJSON is a record as it stands, or in quotes if it is not JSON.
func recordJSON(e registry.Entry) json.RawMessage {
	if len(e.Raw) > registry.MaxRecord {
		e.Raw = strings.ToValidUTF8(e.Raw[:registry.MaxRecord], "") + "…"
	}
	if json.Valid([]byte(e.Raw)) {
		return json.RawMessage(e.Raw)
	}
	quoted, _ := json.Marshal(e.Raw) // a string always has a JSON form
	return quoted
}
