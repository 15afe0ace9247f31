package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
)

const healthTimeout = 2 * time.Second

func (a *Program) healthCommand() *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the gateway on this host whether it is alive",
		Long: `Requests /health, or /ready, from the gateway that runs on this host with this
configuration. It is for containers, which have no curl.

Exit codes: 0 it answered Ok, 1 it did not, 2 wrong usage.`,
		Example: `  tykctl health
  tykctl health --ready --config /etc/tykctl/config.json --env`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(nil)
			if err != nil {
				return err
			}
			path := "/health"
			if ready {
				path = "/ready"
			}
			return a.health(cmd.Context(), localClient(cfg), app.Scheme(cfg)+"://"+app.LocalAddr(cfg)+path)
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it can serve, which needs Redis")
	return cmd
}

func (a *Program) health(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return desk.Reword(fmt.Sprintf("no answer from the gateway at %s: %s", req.URL.Host, why(err)), err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(text)))
	}
	_, err = fmt.Fprintln(a.Out, strings.TrimSpace(string(text)))
	return err
}

// localClient asks the gateway on this host, over TLS if cfg says so. It looks at
// no name in the certificate, for it knows the host by its address alone and tells
// it nothing; and it shows the gateway's own, where a certificate is asked for.
func localClient(cfg *config.Config) *http.Client {
	files := cfg.Server.TLS
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // as said above
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
			return &pair, err
		},
	}}}
}
