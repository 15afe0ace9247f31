package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tykctl/tykctl/pkg/ratelimit"
	"github.com/tykctl/tykctl/pkg/ratelimit/redislimit"
)

// sampleRecord is of a usual size.
const sampleRecord = `{"api_key":"Q2hhcmFjdGVyc09mQUtleQ","rate_limit":1000,"expires_at":"2030-01-15T08:00:00Z",` +
	`"allowed_routes":["/api/v1/test","/api/v1/test2","GET /users/*","/files/**"],"exp":1894867200,"iat":1700000000}`

// A redisServer is one of the bench's own.
type redisServer struct {
	cmd    *exec.Cmd
	client *redis.Client
}

func startRedis(ctx context.Context) (*redisServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	s := &redisServer{cmd: exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")} //nolint:gosec // a port of our own
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (Debian: apt-get install redis-server)", err)
	}
	s.client = redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true})
	for range 500 {
		if err = s.client.Ping(ctx).Err(); err == nil {
			return s, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("redis-server does not answer: %w", err)
}

func (s *redisServer) stop() {
	_ = s.client.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // killed, and that is what it says
}

// spentSoFar is what the server has used since it began.
type spentSoFar struct{ cpu, commands float64 }

func (s *redisServer) usage(ctx context.Context) (spentSoFar, error) {
	info, err := s.client.Info(ctx, "cpu", "stats").Result()
	if err != nil {
		return spentSoFar{}, err
	}
	var sum spentSoFar
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "used_cpu_sys", "used_cpu_user":
			sum.cpu += number
		case "total_commands_processed":
			sum.commands = number
		}
	}
	return sum, nil
}

// directTake takes as the limiter does and with its time-out, but nothing of the
// limiter between: the script and its arguments are recorded from one take of its own.
func (s *redisServer) directTake(guard redislimit.Guard, limit ratelimit.Limit) func(context.Context, *rand.Zipf) error {
	recorder := &recordingHook{}
	s.client.AddHook(recorder)
	_, err := redislimit.New(s.client, redislimit.Options{}).TakeIf(context.Background(), guard, "a", limit, 1)
	if err == nil {
		_, err = redislimit.New(s.client, redislimit.Options{}).TakeIf(context.Background(), guard, "a", limit, 1)
	}
	recorder.done = true
	args := recorder.last
	return func(ctx context.Context, _ *rand.Zipf) error {
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, takeTimeout)
		defer cancel()
		reply, err := s.client.Do(ctx, args...).Slice()
		if err == nil && reply[0] != int64(0) {
			err = errors.New("the window ended while it was measured: run the bench again")
		}
		return err
	}
}

// recordingHook keeps the last EVALSHA until it is done.
type recordingHook struct {
	last []any
	done bool
}

func (h *recordingHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *recordingHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !h.done && cmd.Name() == "evalsha" {
			h.last = cmd.Args()
		}
		return next(ctx, cmd)
	}
}

func (h *recordingHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
