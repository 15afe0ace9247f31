# syntax=docker/dockerfile:1

FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=devel
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath \
    -ldflags "-s -w -X github.com/tykctl/tykctl/internal/cli.version=${VERSION}" \
    -o /tykctl ./cmd/tykctl

FROM scratch
# The CAs for backends and Redis over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /tykctl /tykctl
COPY config.json /etc/tykctl/config.json
# tykctl looks for config.json in the working directory.
WORKDIR /etc/tykctl
USER 65532:65532
EXPOSE 8080 9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=2s --retries=3 CMD ["/tykctl", "health", "--env"]
ENTRYPOINT ["/tykctl"]
CMD ["serve", "--env"]
