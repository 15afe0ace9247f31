package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
	"github.com/tykctl/tykctl/internal/term"
	"github.com/tykctl/tykctl/internal/tlsfiles"
)

// doctorWait bounds each check. They are made side by side.
const doctorWait = 2 * time.Second

func (a *Program) doctorCommand() *cobra.Command {
	s := &store{}
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check all that the gateway needs, and say what to do",
		Long: `Checks the configuration, the secrets, the certificate, Redis, the backend and
the system, and says what to do about each problem. It changes nothing: it tries
the rights of Redis's user on names that no key has.

Exit codes: 0 nothing failed, 1 a check failed, 2 wrong usage,
4 Redis unreachable.`,
		Example: `  tykctl doctor --config /etc/tykctl/config.json --env
  tykctl doctor -o json | jq '.checks[] | select(.result != "ok")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return usage(cmd, err)
			}
			findings, err := a.examine(cmd.Context(), s)
			if output == "json" {
				report := struct {
					OK     bool           `json:"ok"`
					Checks []desk.Finding `json:"checks"`
				}{err == nil, findings}
				return errors.Join(term.WriteJSON(a.Out, report), err)
			}
			return errors.Join(a.printFindings(findings), err)
		},
	}
	s.flags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

// examine runs all checks. The error says that some failed, or that Redis did not
// answer.
func (a *Program) examine(ctx context.Context, s *store) ([]desk.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	cfg, wrong := a.load(s.overrides(), app.Required...)
	if wrong == nil {
		wrong = app.CheckFiles(cfg)
	}
	findings := []desk.Finding{judgeConfig(cfg, wrong)}
	if cfg == nil {
		cfg, _ = a.load(s.overrides()) // the other checks can do without what is only missing
	}
	var away error
	if cfg != nil {
		var redis, backend []desk.Finding
		var all sync.WaitGroup
		all.Go(func() { redis, away = examineRedis(ctx, cfg) })
		all.Go(func() { backend = examineBackend(ctx, cfg) })
		all.Wait()
		findings = slices.Concat(findings, judgeSecrets(cfg), judgeCertificate(cfg.Server.TLS, a.Now()), redis, backend)
	}
	findings = slices.Concat(findings, desk.JudgeFiles(openFiles()))
	failed := 0
	for _, f := range findings {
		if f.Result == desk.Failure {
			failed++
		}
	}
	switch {
	case away != nil:
		return findings, away
	case failed > 0:
		return findings, fmt.Errorf("%d of %d checks failed", failed, len(findings))
	}
	return findings, nil
}

// examineRedis asks Redis. The error is that of a Redis that does not answer.
func examineRedis(ctx context.Context, cfg *config.Config) ([]desk.Finding, error) {
	opened, err := app.OpenStore(cfg)
	if err != nil {
		return nil, nil // a fault of the configuration, which is reported
	}
	defer func() { _ = opened.Close() }()
	book := registry.New(opened)
	facts, err := book.Examine(ctx)
	if err != nil {
		advice := "until it answers, every request gets 503"
		if storage.Kind(err) == "noauth" && !storage.AtSentinel(err) {
			advice += "; the user that it is asked as needs: " + desk.ACLLine(book.Rights())
		}
		err = storeError(err, cfg)
		return []desk.Finding{desk.Fail("redis", err.Error(), advice)}, err
	}
	return desk.JudgeRedis(facts, cfg.Redis.Timeout, cfg.Redis.MasterName, book.Rights()), nil
}

// examineBackend connects to the backend, and asks it for nothing.
func examineBackend(ctx context.Context, cfg *config.Config) []desk.Finding {
	target := cfg.Application.TargetHost
	secure, err := app.BackendTLS(cfg, slog.New(slog.DiscardHandler))
	if target == nil || err != nil {
		return nil // a fault of the configuration, which is reported
	}
	port := target.Port()
	if port == "" {
		port = target.Scheme // dialling knows both by name
	}
	dial := (&net.Dialer{}).DialContext
	if secure != nil {
		dial = (&tls.Dialer{Config: secure}).DialContext
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(target.Hostname(), port))
	if err != nil {
		advice := cmp.Or(tlsfiles.Advice(err, "upstream.tls_"), "start it, or set application.target_host")
		return []desk.Finding{desk.Fail("backend", fmt.Sprintf("%s: %s", target, why(err)), advice+"; until then requests get 502")}
	}
	_ = conn.Close()
	return []desk.Finding{desk.OK("backend", target.String()+" accepts connections")}
}

func (a *Program) printFindings(findings []desk.Finding) error {
	s := a.sheet(a.Out)
	marks := map[desk.Outcome]string{desk.Fine: s.Paint(term.Green, "✓"), desk.Warning: s.Paint(term.Yellow, "!"), desk.Failure: s.Paint(term.Red, "✗")}
	for _, f := range findings {
		first, more, _ := strings.Cut(f.Detail, "\n")
		s.Mark(marks[f.Result], f.Check, first)
		for line := range strings.Lines(more) {
			s.Row("", strings.TrimRight(line, "\n"))
		}
		if f.Advice != "" {
			s.Row("", "→ "+f.Advice)
		}
	}
	return s.Err
}
