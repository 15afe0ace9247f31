package systemtest

import (
	"testing"

	"github.com/tykctl/tykctl/internal/desk"
)

// In local mode known keys go on, others do not, and the limit still holds.
func TestLocalMode(t *testing.T) {
	t.Parallel()
	f := startTrouble(t, map[string]string{"redis.on_failure": "local", "redis.instances": "2"})
	known, unknown := f.token(desk.Grant{Limit: 40, Window: forever}), f.token(desk.Grant{Limit: 40, Window: forever})
	spent := f.token(desk.Grant{Limit: 2, Window: forever})
	for range 30 {
		f.want(f.get("/api/v1/test", known.JWT), 200, "")
	}
	f.want(f.get("/api/v1/test", spent.JWT), 200, "")
	f.want(f.get("/api/v1/test", spent.JWT), 200, "")

	f.redis.Pause()
	for range 5 { // half of what was left of 40, for there may be another instance
		f.want(f.get("/api/v1/test", known.JWT), 200, "")
	}
	for range 5 {
		f.want(f.get("/api/v1/test", known.JWT), 429, "rate_limited")
		f.want(f.get("/api/v1/test", spent.JWT), 429, "rate_limited")
		f.want(f.get("/elsewhere", known.JWT), 403, "route_forbidden")
		f.want(f.get("/api/v1/test", unknown.JWT), 503, "store_unavailable")
	}
	f.eventually("a look at Redis in vain", func() bool { return f.metric("tykctl_redis_up") == "0" })
	if r := f.get("/ready", ""); r.StatusCode != 200 {
		t.Errorf("/ready: %d %q, and known keys are served", r.StatusCode, r.body)
	}
	if on := f.metric("tykctl_redis_local_mode"); on != "1" {
		t.Errorf("tykctl_redis_local_mode %s, want 1", on)
	}
	f.redis.Resume()
	f.eventually("a permit through Redis", func() bool { return f.get("/api/v1/test", unknown.JWT).StatusCode == 200 })
	f.eventually("the end of local mode", func() bool {
		f.get("/api/v1/test", f.key.JWT)
		return f.metric("tykctl_redis_local_mode") == "0"
	})
	for _, line := range []string{"serving without redis", "serving through redis again"} {
		if n := f.log.count(line); n != 1 {
			t.Errorf("said %d times: %s", n, line)
		}
	}
}
