package storage_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/ledger"
	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/internal/storage"
)

// A Sentinel may want no password, the master's or another, or a user as well; and
// what it refuses is not taken for Redis's.
func TestSentinelWithAPassword(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, "--requirepass", "of-the-master")
	watch := func(lines ...string) string {
		return redistest.StartSentinel(t, "mine", master, append([]string{"sentinel auth-pass mine of-the-master"}, lines...)...).Addr
	}
	open1, same, other, user := watch(), watch("requirepass of-the-master"), watch("requirepass of-the-sentinel"),
		watch("user default off", "user scout on >of-the-scout allchannels +@all")
	for _, tt := range []struct {
		name, addr, user, password, master string
		kind                               string // "" if it works
		says                               string
	}{
		{"none", open1, "", "", "mine", "", ""},
		{"the master's", same, "", "of-the-master", "mine", "", ""},
		{"another", other, "", "of-the-sentinel", "mine", "", ""},
		{"with a user", user, "scout", "of-the-scout", "mine", "", ""},
		{"missing", other, "", "", "mine", "noauth", "redis.sentinel_password"},
		{"the master's where another is wanted", other, "", "of-the-master", "mine", "noauth", "redis.sentinel_password"},
		{"wrong user", user, "", "of-the-scout", "mine", "noauth", "redis.sentinel_username"},
		{"unknown master", open1, "", "", "yours", "sentinel", "redis.master_name"},
		{"away", "127.0.0.1:1", "", "", "mine", "connection", "no Sentinel can be asked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := open(t, master, func(o *storage.Options) {
				o.Addrs, o.MasterName, o.Password = []string{tt.addr}, tt.master, "of-the-master"
				o.SentinelUsername, o.SentinelPassword = tt.user, tt.password
			})
			keys := registry.New(store)
			_, err := keys.Create(t.Context(), storage.Grant{APIKey: apiKey(1), RateLimit: 1}, time.Hour)
			if tt.kind == "" {
				if err != nil && !errors.Is(err, registry.ErrExists) {
					t.Error(err)
				}
				return
			}
			if storage.Kind(err) != tt.kind || !storage.AtSentinel(err) || !strings.Contains(err.Error(), tt.addr) {
				t.Errorf("%v (%s); want %s, naming %s", err, storage.Kind(err), tt.kind, tt.addr)
			}
			if !strings.Contains(storage.Advice(err), tt.says) {
				t.Errorf("%v: the advice is %q", err, storage.Advice(err))
			}
			if strings.Contains(err.Error(), "of-the-") {
				t.Errorf("%v shows a password", err)
			}
			// It is never taken for an answer about the key.
			if _, err := ledger.New(store, ledger.Options{}).Take(t.Context(), apiKey(1), anyone); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a request got %v", err)
			}
			if _, err := keys.Lookup(t.Context(), apiKey(1)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a look-up got %v", err)
			}
		})
	}
}
