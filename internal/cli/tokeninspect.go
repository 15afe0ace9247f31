package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/duration"
	"github.com/tykctl/tykctl/internal/jsonobject"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/term"
)

type tokenInspectOptions struct {
	with signing

	method, path string
	output       string
}

func (a *Program) tokenInspectCommand(where *store) *cobra.Command {
	o := &tokenInspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect {api_key | jwt | hash | -}",
		Short: "Show a key or a JWT, and whether a request would pass",
		Long: `Shows a JWT's header and claims, whether its signature is valid, the key's
record beside the claims (≠ marks a difference; the record decides), its usage,
and the verdict: stage by stage what a request would meet, computed by the code
that serves requests. It takes no permit.

- reads the JWT, the api_key or the hash (the log's key=…) from stdin, which
keeps it out of the shell's history.

Without --path the verdict is about the token alone. Without a secret the
signature is not checked. Without Redis there is no record and usually no
verdict, and the exit code is 4.

With -o json it is one object. In "stages", "ok" is null for what was not
checked. A "status" of 200 stands for whatever the backend answers.

Exit codes: 0 a request would pass, 1 failed, 2 wrong usage, 3 it would be
refused, or there is no such token or key, 4 Redis unreachable.`,
		Example: `  tykctl token inspect $JWT --method GET --path /users/7
  tykctl token inspect 17a15a23a425 --path /users/7
  pbpaste | tykctl token inspect - -o json | jq .verdict`,
		ValidArgsFunction: a.completeKey,
		Args:              oneArg("one JWT, api_key or hash, or - for stdin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(o.with.check(), checkOutput(o.output), o.checkRequest()); err != nil {
				return usage(cmd, err)
			}
			if args[0] == "-" && o.with.secretFile == "-" {
				return usage(cmd, errStdinTwice)
			}
			s, err := a.readSubject(args[0])
			if err != nil {
				return err
			}
			return a.tokenInspect(cmd.Context(), where, s, o)
		},
	}
	f := cmd.Flags()
	textFlag(f, &o.method, "method", "method", "the request's method (default: GET)")
	textFlag(f, &o.path, "path", "path", "the request's path, with its query if it has one")
	completeFlag(cmd, "method", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
	completeFlag(cmd, "path")
	o.with.flags(cmd)
	outputFlag(cmd, &o.output)
	return cmd
}

var errStdinTwice = errors.New("stdin cannot be both the token and the secret")

func (o *tokenInspectOptions) checkRequest() error {
	if o.method != "" && o.path == "" {
		return errors.New("--method needs --path, the path of the request")
	}
	return nil
}

func (a *Program) tokenInspect(ctx context.Context, where *store, s desk.Subject, o *tokenInspectOptions) error {
	cfg, err := a.loadWith(where, &o.with)
	if err != nil {
		return err
	}
	verifier, err := app.VerifierOf(cfg)
	if err != nil {
		return err
	}
	opened, err := app.OpenStore(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	if err := a.resolveOne(ctx, where, registry.New(opened), &s); err != nil {
		return storeError(err, cfg)
	}
	ctx, cancel := context.WithTimeout(ctx, app.StoreWait) // for all that is asked together
	defer cancel()
	i, err := desk.Inspect(ctx, opened, verifier, s, desk.Request{Method: o.method, Path: o.path}, time.Now)
	if err != nil {
		return storeError(err, cfg)
	}
	if err := a.showInspection(i, cfg, o.output); err != nil {
		return err
	}
	return storeError(i.Outcome(), cfg)
}

func (a *Program) showInspection(i *desk.Inspection, cfg *config.Config, output string) error {
	if output == "json" {
		return term.WriteJSON(a.Out, i)
	}
	s, now := a.sheet(a.Out), time.Now()
	s.Row("api_key", cmp.Or(i.APIKey, "none"))
	if i.KeyHash != "" {
		s.Row("key hash", i.KeyHash+" (the log's key=…)")
	}
	if i.Header != nil {
		s.Row("header", string(term.SafeJSON(i.Header)))
		s.Row("signature", i.Signature)
		s.Title("claims")
		showFields(s, i.Claims, nil, now)
	}
	switch {
	case i.Record != nil:
		s.Title("record")
		showFields(s, i.Record, i.Claims, now)
		s.Row("stored at", i.Entry.Name+", "+vanishes(i.Entry.TTL, now))
		if i.Entry.Problem != nil {
			s.Mark(s.Paint(term.Red, "✗"), "unusable", i.Entry.Problem.Error())
			s.Row("", "→ write it anew, or revoke it")
		}
	case i.Away != nil:
		s.Title("record")
		s.Row("not checked", storeError(i.Away, cfg).Error())
	case i.APIKey != "":
		s.Title("record")
		s.Row("none", "")
	}
	if u := i.Usage; u != nil {
		s.Title("usage")
		for _, line := range usageLines(*u)[1:] {
			name, text, _ := strings.Cut(line, ":")
			s.Row(name, strings.TrimSpace(text))
		}
	}
	if i.Broken != nil {
		s.Title("usage")
		s.Mark(s.Paint(term.Red, "✗"), "broken", fmt.Sprintf("%s; 'tykctl limits reset %s' begins anew", i.Broken, i.APIKey))
	}
	showVerdict(s, i)
	return s.Err
}

func vanishes(ttl time.Duration, now time.Time) string {
	if ttl < 0 {
		return "never vanishes"
	}
	return "vanishes " + term.Moment(now.Add(ttl), now)
}

// showFields lists the members of an object, and marks those whose value differs in
// another.
func showFields(s *term.Sheet, object, other json.RawMessage, now time.Time) {
	members, err := jsonobject.Members(string(object))
	if err != nil {
		s.Row("as it is", string(object))
		return
	}
	others, _ := jsonobject.Members(string(other)) // none, if it is no object
	for _, m := range members {
		mark := " "
		for _, o := range others {
			if o.Name == m.Name && !sameJSON(o.Value, m.Value) {
				mark = s.Paint(term.Yellow, "≠")
			}
		}
		s.Mark(mark, m.Name, readable(m, now))
	}
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// farthest is the first second that has no four-digit year.
const farthest = 253402300800

// readable is a member's value as people read it: times as times, lists as lists.
func readable(m jsonobject.Member, now time.Time) string {
	var seconds float64
	var text string
	var list []string
	switch {
	case (m.Name == "exp" || m.Name == "iat" || m.Name == "nbf") && json.Unmarshal(m.Value, &seconds) == nil && math.Abs(seconds) < farthest:
		return term.Moment(time.Unix(int64(seconds), 0), now)
	case json.Unmarshal(m.Value, &text) == nil && string(m.Value) != "null":
		if d, err := duration.Parse(text); err == nil && (m.Name == "window" || m.Name == "max_delay") {
			return duration.Format(d)
		}
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return term.Moment(t, now)
		}
		if m.Name == "label" {
			return storage.CutLabel(text)
		}
		return text
	case json.Unmarshal(m.Value, &list) == nil && len(list) > 0:
		return strings.Join(list, ", ")
	}
	return string(term.SafeJSON(m.Value))
}

func showVerdict(s *term.Sheet, i *desk.Inspection) {
	if i.Request == "" {
		s.Title("verdict on the token alone")
	} else {
		s.Title("verdict on " + i.Request)
	}
	for _, t := range i.Verdict.Stages {
		mark := "-"
		if t.OK != nil {
			mark = s.Paint(term.Red, "✗")
			if *t.OK {
				mark = s.Paint(term.Green, "✓")
			}
		}
		s.Mark(mark, string(t.Stage), t.Detail)
	}
	if i.Verdict.Allowed {
		condition := ""
		if i.Header != nil && i.Signature == "unchecked" {
			condition = "if the signature is valid"
		}
		s.Mark(s.Paint(term.Green, "→"), "passes", condition)
		return
	}
	answer := fmt.Sprintf("%d %s", i.Verdict.Status, i.Verdict.Code)
	if errors.Is(i.Verdict.Err, storage.ErrUnavailable) {
		s.Mark("→", "not known", "Redis did not answer; without Redis the gateway answers "+answer)
		return
	}
	s.Mark(s.Paint(term.Red, "→"), "refused", answer)
}
