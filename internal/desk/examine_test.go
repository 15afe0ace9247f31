package desk

import (
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

func TestJudgements(t *testing.T) {
	master := registry.Server{Addr: "a:1", Version: "7.0.15", Role: "master", Mode: "standalone", Eviction: "noeviction"}
	server := func(change func(*registry.Server)) registry.Server { s := master; change(&s); return s }
	away := registry.Server{Addr: "a:1", Problem: storage.ErrUnavailable}
	for name, tt := range map[string]struct {
		found Finding
		want  Outcome
	}{
		"redis 7.0":                   {judgeServer(master), Fine},
		"redis 10":                    {judgeServer(server(func(s *registry.Server) { s.Version = "10.1.0" })), Fine},
		"redis 6":                     {judgeServer(server(func(s *registry.Server) { s.Version = "6.2.14" })), Failure},
		"a replica":                   {judgeServer(server(func(s *registry.Server) { s.Role = "slave" })), Failure},
		"no version":                  {judgeServer(registry.Server{}), Warning},
		"a Sentinel":                  {judgeServer(server(func(s *registry.Server) { s.Mode, s.Role = "sentinel", "" })), Failure},
		"a renamed command":           {judgeRights(registry.Facts{Unknown: []string{"EVALSHA"}}, ""), Failure},
		"does not answer":             {judgeServer(away), Failure},
		"eviction, but away":          {judgeEviction(away), Warning},
		"persistence, but away":       {judgePersistence(away), Warning},
		"a Cluster that stops as one": {judgeTopology(registry.Facts{Cluster: true, Servers: []registry.Server{{FullCoverage: true}}}, ""), Warning},
		"near":                        {judgeLatency(time.Millisecond, 250*time.Millisecond), Fine},
		"far":                         {judgeLatency(100*time.Millisecond, 250*time.Millisecond), Warning},
		"clocks agree":                {judgeClock(-time.Millisecond, time.Millisecond), Fine},
		"clock behind":                {judgeClock(-3*time.Second, time.Millisecond), Warning},
		"clock ahead":                 {judgeClock(3*time.Second, time.Millisecond), Warning},
		"nobody knows":                {judgeClock(3*time.Second, 4*time.Second), Fine},
		"evicts, but has room":        {judgeEviction(server(func(s *registry.Server) { s.Eviction = "allkeys-lru" })), Fine},
		"evicts":                      {judgeEviction(server(func(s *registry.Server) { s.Eviction, s.MaxMemory = "volatile-ttl", 1 })), Warning},
		"does not tell":               {judgeEviction(registry.Server{}), Warning},
		"append-only file":            {judgePersistence(registry.Server{Persistence: registry.Persistence{Known: true, AppendLog: true}}), Fine},
		"snapshots":                   {judgePersistence(registry.Server{Persistence: registry.Persistence{Known: true, Snapshots: "60 1"}}), Fine},
		"keeps nothing":               {judgePersistence(registry.Server{Persistence: registry.Persistence{Known: true}}), Warning},
		"no word of snapshots":        {judgePersistence(registry.Server{}), Warning},
		"disk full":                   {judgePersistence(registry.Server{Persistence: registry.Persistence{AppendLog: true, Failed: true}}), Failure},
		"one server":                  {judgeTopology(registry.Facts{Servers: []registry.Server{{Mode: "standalone"}}}, ""), Fine},
		"a Cluster":                   {judgeTopology(registry.Facts{Cluster: true}, ""), Fine},
		"a Cluster as one server":     {judgeTopology(registry.Facts{Servers: []registry.Server{{Mode: "cluster"}}}, ""), Failure},
		"all rights":                  {judgeRights(registry.Facts{}, ""), Fine},
		"a right is missing":          {judgeRights(registry.Facts{Denied: []string{"GET"}}, ""), Failure},
		"refuses to write":            {judgeRights(registry.Facts{Refuses: "oom"}, ""), Failure},
		"files enough":                {JudgeFiles(20000, true)[0], Fine},
		"few files":                   {JudgeFiles(256, true)[0], Warning},
		"of masters, the worst":       {worst([]registry.Server{master, {Addr: "b:2", Version: "6.0.0"}, {}}, judgeServer), Failure},
		"of masters, all is well":     {worst([]registry.Server{master, master}, judgeServer), Fine},
	} {
		if tt.found.Result != tt.want {
			t.Errorf("%s: %+v, want %s", name, tt.found, tt.want)
		}
		if (tt.found.Advice == "") != (tt.want == Fine) {
			t.Errorf("%s: %+v: what is not fine needs advice, and nothing else does", name, tt.found)
		}
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
		"Zp3wq0Q0l9yq0b1cT2r7dJ5m8xVn4kSgHfEaUoYiCzM=":                     true,
	} {
		if bits := entropy(text); (bits >= secretBits) != want {
			t.Errorf("%q is worth %.0f bits, want enough: %v", text, bits, want)
		}
	}
}
