package systemtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
)

// A new key is spread, signs, and the old one ends: at each step every token that
// was made before it and has not been retired is let in.
func TestKeysAreReplacedWithoutAnOutage(t *testing.T) {
	old := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(old, []byte("another secret of the tests, long enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	retiring := func(at string) string {
		return `[{"kid":"old","algorithm":"HS256","file":"` + old + `","retire_at":"` + at + `"},
			{"kid":"new","algorithm":"HS512","secret":"` + testSecret + `","not_before":"2026-01-01T00:00:00Z"}]`
	}
	before := start(t, map[string]string{
		"application.token.jwt_secret": "",
		"application.token.keys":       `[{"kid":"old","algorithm":"HS256","file":"` + old + `"}]`,
	})
	first := before.token(desk.Grant{})
	before.want(before.get("/api/v1/test", first.JWT), 200, "")

	between := startWith(t, before.redis, map[string]string{
		"application.token.jwt_secret": "",
		"application.token.keys":       retiring("9000-01-01T00:00:00Z"),
	})
	second := between.token(desk.Grant{})
	between.want(between.get("/api/v1/test", first.JWT), 200, "")
	between.want(between.get("/api/v1/test", second.JWT), 200, "")
	before.want(before.get("/api/v1/test", second.JWT), 401, "invalid_token") // as it does not know the key

	after := startWith(t, before.redis, map[string]string{
		"application.token.jwt_secret": "",
		"application.token.keys":       retiring("2026-01-02T00:00:00Z"),
	})
	after.want(after.get("/api/v1/test", first.JWT), 401, "invalid_token")
	after.want(after.get("/api/v1/test", second.JWT), 200, "")
}
