package cli

import (
	"strings"

	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/cors"
	"github.com/tykctl/tykctl/internal/gateway"
)

// corsPolicy is nil where CORS is off. The error is a fault of the configuration that
// only its options together show.
func corsPolicy(cfg *config.Config) (*cors.Policy, error) {
	policy, err := cors.New(cors.Options(cfg.Application.CORS), gateway.Exposed...)
	if err != nil {
		name, text, _ := strings.Cut(err.Error(), ": ")
		key := "application.cors." + name
		return nil, &config.Faults{File: cfg.File, List: []config.Fault{{Key: key, Origin: cfg.Origin(key), Text: text}}}
	}
	return policy, nil
}
