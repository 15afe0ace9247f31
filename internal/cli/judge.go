package cli

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/term"
)

// oldShare: a certificate is usually renewed when a third of its time is left.
const oldShare = 6

func judgeConfig(cfg *config.Config, wrong error) desk.Finding {
	if wrong != nil {
		return desk.Fail("config", wrong.Error(), "'tykctl config reference' lists every option")
	}
	if warnings := cfg.Warnings(); len(warnings) > 0 {
		return desk.Warn("config", listFaults(warnings), "these are legal; check that they are intended")
	}
	return desk.OK("config", fileOf(cfg)+": nothing is wrong")
}

// listFaults writes one to a line.
func listFaults(faults []config.Fault) string {
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// judgeSecrets judges what tokens are signed with.
func judgeSecrets(cfg *config.Config) []desk.Finding {
	var found []desk.Finding
	const advice = "make one with 'tykctl secret' and set application.token.jwt_secret; then issue new tokens"
	switch secret := cfg.Application.Token.JWTSecret.Reveal(); {
	case secret == "": // if nothing else is there, it is a fault of the configuration, which is reported
	case app.PublicSecret(cfg):
		found = append(found, desk.Fail("secret", "it is the published example: anyone can make tokens, so serve listens on loopback only", advice))
	default:
		found = append(found, desk.JudgeSecret("", secret, ", set by "+cfg.SetBy("application.token.jwt_secret"), advice))
	}
	for _, key := range cfg.Application.Token.Keys {
		name := fmt.Sprintf("key %q: ", key.ID)
		switch text, err := app.KeyText(key); {
		case err != nil: // likewise reported
		case app.IsSecret(key):
			found = append(found, desk.JudgeSecret(name, string(text), "",
				"make one with 'tykctl secret', add it to application.token.keys, and give this one a retire_at"))
		default:
			found = append(found, desk.OK("secret", name+key.Algorithm))
		}
	}
	return found
}

// judgeCertificate judges what clients over TLS are shown.
func judgeCertificate(files config.TLS, now time.Time) []desk.Finding {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil // there is none, or it is a fault of the configuration, which is reported
	}
	const (
		check = "certificate"
		renew = "renew it: replaced files take effect without a restart"
	)
	begin, end := pair.Leaf.NotBefore, pair.Leaf.NotAfter
	switch text := files.Cert + " is valid until " + term.Moment(end, now); {
	case now.Before(begin):
		return []desk.Finding{desk.Fail(check, files.Cert+" is not valid before "+term.Moment(begin, now), "set this host's clock, or replace it")}
	case now.After(end):
		return []desk.Finding{desk.Fail(check, files.Cert+" has not been valid since "+term.Moment(end, now), renew)}
	case end.Sub(now) < end.Sub(begin)/oldShare:
		return []desk.Finding{desk.Warn(check, text, renew)}
	default:
		return []desk.Finding{desk.OK(check, text)}
	}
}
