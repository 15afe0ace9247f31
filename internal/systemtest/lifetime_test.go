package systemtest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tykctl/tykctl/internal/desk"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/pkg/jwtauth"
)

// Token, record and Redis agree on how long a key lives, wherever in a second the
// clock stands when it is made.
func TestATokenLivesForItsTTL(t *testing.T) {
	w := start(t, nil)
	for ttl, seconds := range map[time.Duration]int64{
		time.Second: 1, time.Hour: 3600, 30 * 24 * time.Hour: 30 * 86400, 1500 * time.Millisecond: 2,
	} {
		for _, into := range []time.Duration{0, 1, 500 * time.Millisecond, time.Second - 1} {
			now := time.Unix(1_800_000_000, 0).Add(into)
			record, made, err := desk.NewToken(registry.New(w.in.Store), w.in.Key, desk.Grant{Routes: []string{"/a"}, TTL: ttl}, now)
			if err != nil {
				t.Fatal(err)
			}
			wantLifetime(t, made.JWT, seconds)
			if end := record.IssuedAt + seconds; record.Expires != end || record.ExpiresAt.Unix() != end || made.ExpiresAt.Unix() != end {
				t.Errorf("%v at %v: the record says %d, %s, of %d", ttl, into, record.Expires, record.ExpiresAt, end)
			}
		}
		made := w.token(desk.Grant{TTL: ttl})
		wantLifetime(t, made.JWT, seconds)
		left := w.client.PTTL(t.Context(), made.StorageKey).Val()
		if most := time.Duration(seconds) * time.Second; left > most || ttl > time.Minute && left < most-time.Minute {
			t.Errorf("%v: the record vanishes in %v", ttl, left)
		}
		again, err := desk.Reissue(t.Context(), registry.New(w.in.Store), w.in.Key, w.token(desk.Grant{TTL: 60 * 24 * time.Hour}).APIKey, ttl, time.Unix(time.Now().Unix(), 999_999_999))
		if err != nil {
			t.Fatal(err)
		}
		wantLifetime(t, again.JWT, seconds)
	}
}

func wantLifetime(t *testing.T, jwt string, seconds int64) {
	t.Helper()
	_, payload, err := jwtauth.Peek(jwt)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Exp, Iat  int64
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	if c.Exp-c.Iat != seconds || c.ExpiresAt.Unix() != c.Exp {
		t.Errorf("exp − iat is %d, want %d; expires_at is %s", c.Exp-c.Iat, seconds, c.ExpiresAt)
	}
}
