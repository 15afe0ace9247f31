# What each target does stands behind its ##; `make` alone lists them.

GO      ?= go
BIN     := bin
COMPOSE ?= docker compose
# Where `make gen` writes the record when compose is not running.
REDIS   ?= localhost:6379
# Where `make install` installs: $(DESTDIR)$(PREFIX)/bin and share.
PREFIX  ?= /usr/local
DESTDIR ?=
SHARE   := $(DESTDIR)$(PREFIX)/share
# Further flags, as in: make gen ARGS="--limit 100"
ARGS    ?=

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X github.com/tykctl/tykctl/internal/cli.version=$(VERSION)

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
GOLANGCI_VERSION := v2.15.0
LINTER   := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: run
run: ## try it: the gateway with Redis, a backend, a secret and a token in one process
	@$(MAKE) --no-print-directory -s build
	@$(BIN)/tykctl serve --dev $(ARGS)

.PHONY: build
build: ## build the static binary, bin/tykctl
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/tykctl ./cmd/tykctl

# `make build && sudo make install` needs no Go as root: what is built is installed.
.PHONY: install
install: ## install the binary, completions and man pages under PREFIX=/usr/local
	@test -x $(BIN)/tykctl || $(MAKE) --no-print-directory build
	install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions \
		$(SHARE)/fish/vendor_completions.d $(SHARE)/man/man1 $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN)/tykctl $(DESTDIR)$(PREFIX)/bin/tykctl
	install -m 644 completions/tykctl.bash $(SHARE)/bash-completion/completions/tykctl
	install -m 644 completions/_tykctl $(SHARE)/zsh/site-functions/_tykctl
	install -m 644 completions/tykctl.fish $(SHARE)/fish/vendor_completions.d/tykctl.fish
	$(BIN)/tykctl docs man $(SHARE)/man/man1

.PHONY: test
test: ## run all tests, with the race detector, against a real Redis
	@.ci/need redis-server nginx cc
	$(GO) test -race ./...

.PHONY: bench
bench: ## measure limiter and gateway on this machine, beside go-redis, nginx and HAProxy
	@.ci/need redis-server nginx haproxy wrk
	@$(GO) run ./internal/bench limiter
	@$(GO) run ./internal/bench gateway

.PHONY: check
check: fmt-check vet lint test ## everything CI checks: format, vet, lint, tests (stale generated files fail them)

.PHONY: fmt
fmt: $(LINTER) ## format the code
	$(LINTER) fmt ./...

.PHONY: fmt-check
fmt-check: $(LINTER)
	$(LINTER) fmt --diff ./...

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: lint
lint: $(LINTER) ## run golangci-lint
	$(LINTER) run ./...

$(LINTER):
	@mkdir -p $(BIN)
	GOBIN=$(abspath $(BIN)) $(GO) install $(GOLANGCI)@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@

.PHONY: generate
generate: ## write every generated file anew: completions, .env.example, README's table of options
	$(GO) test ./internal/cli -run '^TestGeneratedFiles$$' -update

.PHONY: completions
completions: generate ## write the shells' completions anew

.PHONY: secret
secret: ## print a fresh secret
	@$(GO) run ./cmd/tykctl secret

# The compose gateway knows its own Redis and secret; without it, a Redis on
# this host and the shipped configuration serve.
.PHONY: gen
gen: ## make a token: in compose when it runs, else in Redis at $(REDIS)
	@if [ -n "$$($(COMPOSE) ps -q --status running tykctl 2>/dev/null)" ]; then \
		$(COMPOSE) exec -T tykctl /tykctl token gen --env $(ARGS); \
	else \
		$(GO) build -o $(BIN)/tykctl ./cmd/tykctl && \
		$(BIN)/tykctl token gen --config config.json --redis $(REDIS) $(ARGS); \
	fi

.PHONY: up
up: own-secret ## start gateway, Redis and a backend in Docker
	$(COMPOSE) up -d --wait

.PHONY: up-b
up-b: own-secret ## the same, building the image first
	$(COMPOSE) up -d --wait --build

.PHONY: down
down: ## stop them; what Redis holds is kept
	$(COMPOSE) down

# .env is what compose hands to the gateway. A secret that stands there is kept,
# unless it is the published example, with which the gateway would hide on loopback.
SECRET_NAME    := TYK_PROX_APPLICATION__TOKEN__JWT_SECRET
EXAMPLE_SECRET := II+NZDtODCTp0eAGX0/3HNdaExOf+M1uesFHdN+IFcTD774aaeJrJIOMS4aYhi+l

.PHONY: own-secret
own-secret:
	@umask 077; touch .env; \
	if grep -F '$(SECRET_NAME)=' .env | grep -qvF '$(EXAMPLE_SECRET)'; then exit 0; fi; \
	grep -vF '$(SECRET_NAME)=' .env > .env.new; \
	echo "export $(SECRET_NAME)=$$(head -c 48 /dev/urandom | base64 | tr -d '\n')" >> .env.new; \
	mv .env.new .env; echo 'made a fresh secret in .env'

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
