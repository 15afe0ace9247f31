package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
)

func TestJudgements(t *testing.T) {
	master := registry.Server{Addr: "a:1", Version: "7.0.15", Role: "master", Mode: "standalone", Eviction: "noeviction"}
	server := func(change func(*registry.Server)) registry.Server { s := master; change(&s); return s }
	for name, tt := range map[string]struct {
		found finding
		want  outcome
	}{
		"redis 7.0":               {judgeServer(master), fine},
		"redis 10":                {judgeServer(server(func(s *registry.Server) { s.Version = "10.1.0" })), fine},
		"redis 6":                 {judgeServer(server(func(s *registry.Server) { s.Version = "6.2.14" })), failure},
		"a replica":               {judgeServer(server(func(s *registry.Server) { s.Role = "slave" })), failure},
		"no version":              {judgeServer(registry.Server{}), warning},
		"near":                    {judgeLatency(time.Millisecond, 250*time.Millisecond), fine},
		"far":                     {judgeLatency(100*time.Millisecond, 250*time.Millisecond), warning},
		"clocks agree":            {judgeClock(-time.Millisecond, time.Millisecond), fine},
		"clock behind":            {judgeClock(-3*time.Second, time.Millisecond), warning},
		"clock ahead":             {judgeClock(3*time.Second, time.Millisecond), warning},
		"nobody knows":            {judgeClock(3*time.Second, 4*time.Second), fine},
		"evicts, but has room":    {judgeEviction(server(func(s *registry.Server) { s.Eviction = "allkeys-lru" })), fine},
		"evicts":                  {judgeEviction(server(func(s *registry.Server) { s.Eviction, s.MaxMemory = "volatile-ttl", 1 })), warning},
		"does not tell":           {judgeEviction(registry.Server{}), warning},
		"append-only file":        {judgePersistence(registry.Server{Persistence: registry.Persistence{Known: true, AppendLog: true}}), fine},
		"snapshots":               {judgePersistence(registry.Server{Persistence: registry.Persistence{Known: true, Snapshots: "60 1"}}), fine},
		"keeps nothing":           {judgePersistence(registry.Server{Persistence: registry.Persistence{Known: true}}), warning},
		"no word of snapshots":    {judgePersistence(registry.Server{}), warning},
		"disk full":               {judgePersistence(registry.Server{Persistence: registry.Persistence{AppendLog: true, Failed: true}}), failure},
		"one server":              {judgeTopology(registry.Facts{Servers: []registry.Server{{Mode: "standalone"}}}, config.Redis{}), fine},
		"a Cluster":               {judgeTopology(registry.Facts{Cluster: true}, config.Redis{}), fine},
		"a Cluster as one server": {judgeTopology(registry.Facts{Servers: []registry.Server{{Mode: "cluster"}}}, config.Redis{}), failure},
		"all rights":              {judgeRights(registry.Facts{}, ""), fine},
		"a right is missing":      {judgeRights(registry.Facts{Denied: []string{"GET"}}, ""), failure},
		"refuses to write":        {judgeRights(registry.Facts{Refuses: "oom"}, ""), failure},
		"files enough":            {judgeFiles(20000, true)[0], fine},
		"few files":               {judgeFiles(256, true)[0], warning},
		"of masters, the worst":   {worst([]registry.Server{master, {Addr: "b:2", Version: "6.0.0"}, {}}, judgeServer), failure},
		"of masters, all is well": {worst([]registry.Server{master, master}, judgeServer), fine},
	} {
		if tt.found.Result != tt.want {
			t.Errorf("%s: %+v, want %s", name, tt.found, tt.want)
		}
		if (tt.found.Advice == "") != (tt.want == fine) {
			t.Errorf("%s: %+v: what is not fine needs advice, and nothing else does", name, tt.found)
		}
	}
}

func TestCertificateIsJudged(t *testing.T) {
	cert, key := certtest.SelfSigned(t) // from an hour ago to in an hour
	files := config.TLS{Cert: cert, Key: key}
	for after, want := range map[time.Duration]struct {
		outcome
		detail string
	}{
		-2 * time.Hour:   {failure, "is not valid before "},
		0:                {fine, "is valid until "},
		50 * time.Minute: {warning, "is valid until "},
		2 * time.Hour:    {failure, "has not been valid since "},
	} {
		found := judgeCertificate(files, time.Now().Add(after))
		if len(found) != 1 || found[0].Result != want.outcome || !strings.HasPrefix(found[0].Detail, cert+" "+want.detail) {
			t.Errorf("after %s: %+v, want %s", after, found, want.detail)
		}
	}
	if found := judgeCertificate(config.TLS{}, time.Now()); found != nil {
		t.Errorf("without TLS: %+v", found)
	}

	var out bytes.Buffer
	a := &Program{Out: &out, Err: io.Discard, Now: time.Now}
	file := filepath.Join(t.TempDir(), "config.json")
	text := `{"server": {"tls": {"cert": "` + cert + `", "key": "` + key + `"}}, "redis": {"addr": "` + redistest.Nowhere(t) + `"}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if a.Run(t.Context(), []string{"doctor", "--config", file}); !strings.Contains(out.String(), "✓ certificate     "+cert) {
		t.Errorf("doctor says %s", out.String())
	}
}

func TestEntropy(t *testing.T) {
	for text, want := range map[string]bool{
		"canary canary canary canary canary":                               false,
		"correct horse battery staple":                                     false,
		"abababababababababababababababababababababab":                     false,
		"0123456789abcdef0123456789abcdef":                                 true,
		"II+NZDtODCTp0eAGX0/3HNdaExOf+M1uesFHdN+IFcTD774aaeJrJIOMS4aYhi+l": true,
		"9f86d081884c7d659a2feaa0c55ad015":                                 true,
		newSecret(minSecretBytes):                                          true,
	} {
		if bits := entropy(text); (bits >= secretBits) != want {
			t.Errorf("%q is worth %.0f bits, want enough: %v", text, bits, want)
		}
	}
}
