package limittest_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/internal/redistest"
	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/limittest"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

func TestInProcess(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(*testing.T) ratelimit.Limiter {
		return ratelimit.NewLocal(ratelimit.LocalOptions{})
	})
}

func TestMiniredis(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	limittest.Run(t, func(*testing.T) ratelimit.Limiter {
		return redislimit.New(client, redislimit.Options{})
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	limittest.Run(t, func(*testing.T) ratelimit.Limiter {
		return redislimit.New(client, redislimit.Options{})
	})
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	client := redistest.StartCluster(t).Client(t)
	limittest.Run(t, func(*testing.T) ratelimit.Limiter {
		return redislimit.New(client, redislimit.Options{})
	})
}
