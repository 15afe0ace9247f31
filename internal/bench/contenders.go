package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

const (
	secret = "a-secret-that-only-this-benchmark-knows-48-bytes"
	route  = "/api/v1/test"
	plenty = "1000000000" // a limit that no bench spends
)

var nginxConf = template.Must(template.New("nginx").Parse(`
daemon off;
worker_processes 1;
pid {{.Dir}}/{{.Name}}.pid;
error_log stderr error;
events { worker_connections 4000; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path {{.Dir}};
	proxy_temp_path {{.Dir}};
	fastcgi_temp_path {{.Dir}};
	uwsgi_temp_path {{.Dir}};
	scgi_temp_path {{.Dir}};
	client_max_body_size 0;
	{{if .Backend}}
	upstream backend { server {{.Backend}}; keepalive 512; keepalive_requests 1000000000; }
	{{end}}
	server {
		listen {{.Addr}} backlog=4096;
		{{if .Backend}}
		location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
		{{else}}
		location / { return 200 "{{.Body}}"; }
		{{end}}
	}
}
`))

var haproxyConf = template.Must(template.New("haproxy").Parse(`
global
	nbthread 1
	maxconn 4000
defaults
	mode http
	timeout connect 3s
	timeout client 30s
	timeout server 30s
frontend front
	bind {{.Addr}}
	stick-table type string len 64 size 100k expire 60s store http_req_rate(60s)
	http-request set-var(txn.bearer) http_auth_bearer
	http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
	http-request deny deny_status 401 unless { var(txn.alg) -m str HS256 }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"{{.Secret}}") -m int 1 }
	http-request set-var(txn.now) date()
	http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
	http-request deny deny_status 401 unless { var(txn.exp),sub(txn.now) -m int gt 0 }
	http-request set-var(txn.key) var(txn.bearer),jwt_payload_query('$.api_key')
	http-request deny deny_status 403 unless { path -m str {{.Route}} }
	http-request track-sc0 var(txn.key)
	http-request deny deny_status 429 if { sc_http_req_rate(0) gt {{.Limit}} }
	default_backend back
backend back
	http-reuse always
	server one {{.Backend}}
`))

// settings fill the templates.
type settings struct {
	Name, Dir, Addr, Backend, Body, Secret, Route, Limit string
}

// field is everything that is measured, started and listening.
type field struct {
	dir, binary                    string
	backend, nginx, haproxy        *process
	redis, gateway                 *process
	backendAddr, nginxAddr         string
	haproxyAddr, redisAddr         string
	gatewayAddr, metricsAddr       string
	token, spentToken, brokenToken string
}

// start brings up everything. stop must be called, also after an error.
func (f *field) start(ctx context.Context) error {
	for program, debian := range map[string]string{
		"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk", "redis-server": "redis-server",
	} {
		if _, err := need(program, debian); err != nil {
			return err
		}
	}
	for _, addr := range []*string{&f.backendAddr, &f.nginxAddr, &f.haproxyAddr, &f.redisAddr, &f.gatewayAddr, &f.metricsAddr} {
		var err error
		if *addr, err = freeAddr(); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{f.startServers, f.startGateway, f.makeTokens} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) startServers(ctx context.Context) (err error) {
	if f.backend, err = f.startNginx(ctx, settings{Name: "backend", Addr: f.backendAddr, Body: strings.Repeat("x", 100)}); err != nil {
		return err
	}
	if f.nginx, err = f.startNginx(ctx, settings{Name: "nginx", Addr: f.nginxAddr, Backend: f.backendAddr}); err != nil {
		return err
	}
	conf, err := f.write("haproxy.cfg", haproxyConf, settings{
		Addr: f.haproxyAddr, Backend: f.backendAddr, Secret: secret, Route: route, Limit: plenty,
	})
	if err != nil {
		return err
	}
	haproxy, err := need("haproxy", "haproxy")
	if err != nil {
		return err
	}
	if f.haproxy, err = launch(ctx, "haproxy", f.haproxyAddr, nil, haproxy, "-db", "-f", conf); err != nil {
		return err
	}
	_, port, _ := strings.Cut(f.redisAddr, ":")
	f.redis, err = launch(ctx, "redis", f.redisAddr, nil, "redis-server",
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", f.dir)
	return err
}

func (f *field) startNginx(ctx context.Context, s settings) (*process, error) {
	s.Dir = f.dir
	conf, err := f.write(s.Name+".conf", nginxConf, s)
	if err != nil {
		return nil, err
	}
	nginx, err := need("nginx", "nginx-light")
	if err != nil {
		return nil, err
	}
	return launch(ctx, s.Name, s.Addr, nil, nginx, "-p", f.dir, "-e", "stderr", "-c", conf)
}

func (f *field) write(name string, t *template.Template, s settings) (string, error) {
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return "", err
	}
	path := filepath.Join(f.dir, name)
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

func (f *field) env() []string {
	_, port, _ := strings.Cut(f.gatewayAddr, ":")
	_, metricsPort, _ := strings.Cut(f.metricsAddr, ":")
	return []string{
		"TYK_PROX_APPLICATION__IP=127.0.0.1",
		"TYK_PROX_APPLICATION__PORT=" + port,
		"TYK_PROX_APPLICATION__TARGET_HOST=http://" + f.backendAddr,
		"TYK_PROX_APPLICATION__TOKEN__JWT_SECRET=" + secret,
		"TYK_PROX_APPLICATION__MAX_BODY=0",
		"TYK_PROX_MONITORING__IP=127.0.0.1",
		"TYK_PROX_MONITORING__PORT=" + metricsPort,
		"TYK_PROX_REDIS__ADDR=" + f.redisAddr,
		"TYK_PROX_SERVER__ACCESS_LOG=false",
		"TYK_PROX_SERVER__DRAIN_DELAY=0s",
		"TYK_PROX_LOG__LEVEL=Warn",
	}
}

func (f *field) startGateway(ctx context.Context) (err error) {
	if f.binary == "" {
		f.binary = filepath.Join(f.dir, "tykctl")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", f.binary, "./cmd/tykctl") //nolint:gosec // a path of this bench's own
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	f.gateway, err = f.launchGateway(ctx)
	return err
}

// launchGateway starts another one on the same ports, with more options.
func (f *field) launchGateway(ctx context.Context, env ...string) (*process, error) {
	return launch(ctx, "tykctl", f.gatewayAddr, append(f.env(), env...), f.binary, "serve", "--env")
}

// makeTokens makes a key that may go on for ever, one whose limit a single
// request spends, and a token whose signature is wrong.
func (f *field) makeTokens(ctx context.Context) (err error) {
	if f.token, err = f.makeToken(ctx, plenty); err != nil {
		return err
	}
	if f.spentToken, err = f.makeToken(ctx, "1"); err != nil {
		return err
	}
	signed := strings.LastIndexByte(f.token, '.')
	f.brokenToken = f.token[:signed+1] + strings.Repeat("A", len(f.token)-signed-1)
	return nil
}

func (f *field) makeToken(ctx context.Context, limit string) (string, error) {
	cmd := exec.CommandContext(ctx, f.binary, "token", "gen", "--env", "-o", "json", //nolint:gosec // arguments of this bench's own
		"--routes", route, "--limit", limit, "--window", "24h")
	cmd.Env = append(os.Environ(), f.env()...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("token gen: %w", err)
	}
	var made struct {
		JWT string `json:"jwt"`
	}
	return made.JWT, json.Unmarshal(out, &made)
}

func (f *field) stop() {
	for _, p := range []*process{f.gateway, f.haproxy, f.nginx, f.redis, f.backend} {
		if p != nil {
			p.stop()
		}
	}
}
