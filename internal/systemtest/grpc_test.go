package systemtest

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/tykctl/tykctl/internal/certtest"
	"github.com/tykctl/tykctl/internal/desk"
)

// bearer is the token that a gRPC client shows with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// startGRPC runs a gateway with a certificate before the server of gRPC's own
// interoperability tests, which speaks HTTP/2 without TLS.
func startGRPC(t *testing.T, ca certtest.Issuer) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	w, _, _ := startTLS(t, ca, map[string]string{
		"application.target_host": "http://" + l.Addr().String(),
		"upstream.h2c":            "true",
	})
	return w
}

// grpc is a gRPC client of the gateway, over TLS.
func (w *world) grpc(t *testing.T, ca certtest.Issuer, jwt string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(w.in.Server.Addr().String(),
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(ca.Pool(), "")),
		grpc.WithPerRPCCredentials(bearer(jwt)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The client and server of gRPC's own interoperability tests, with the whole
// gateway between them.
func TestGRPC(t *testing.T) {
	ca := certtest.New(t)
	w := startGRPC(t, ca)
	key := w.token(desk.Grant{Routes: []string{"POST /grpc.testing.TestService/*", "POST /grpc.testing.UnimplementedService/*"}})
	conn := w.grpc(t, ca, key.JWT)
	client, ctx := testgrpc.NewTestServiceClient(conn), t.Context()
	for name, call := range map[string]func(){
		"empty unary":            func() { interop.DoEmptyUnaryCall(ctx, client) },
		"large unary":            func() { interop.DoLargeUnaryCall(ctx, client) },
		"client streaming":       func() { interop.DoClientStreaming(ctx, client) },
		"server streaming":       func() { interop.DoServerStreaming(ctx, client) },
		"ping pong":              func() { interop.DoPingPong(ctx, client) },
		"empty stream":           func() { interop.DoEmptyStream(ctx, client) },
		"timeout on sleep":       func() { interop.DoTimeoutOnSleepingServer(ctx, client) },
		"cancel after begin":     func() { interop.DoCancelAfterBegin(ctx, client) },
		"cancel after first":     func() { interop.DoCancelAfterFirstResponse(ctx, client) },
		"custom metadata":        func() { interop.DoCustomMetadata(ctx, client) },
		"status and message":     func() { interop.DoStatusCodeAndMessage(ctx, client) },
		"special status message": func() { interop.DoSpecialStatusMessage(ctx, client) },
		"unimplemented method":   func() { interop.DoUnimplementedMethod(ctx, conn) },
		"unimplemented service":  func() { interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn)) },
	} {
		t.Run(name, func(*testing.T) { call() }) // a failure ends the process, in gRPC's words
	}
	if line := w.log.find("path", "/grpc.testing.TestService/EmptyCall"); line["reason"] != "ok" || line["status"] != float64(200) {
		t.Errorf("the access log says %v", line)
	}
}

// A server may end a stream whose client has not, and its status is what counts.
func TestGRPCServerEndsAStream(t *testing.T) {
	ca := certtest.New(t)
	w := startGRPC(t, ca)
	key := w.token(desk.Grant{Routes: []string{"POST /grpc.testing.TestService/*"}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := testgrpc.NewTestServiceClient(w.grpc(t, ca, key.JWT)).FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, say := range []*testgrpc.StreamingOutputCallRequest{
		{ResponseParameters: []*testgrpc.ResponseParameters{{Size: 10}}},
		{ResponseStatus: &testgrpc.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "no more"}},
	} {
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(say); err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
	}
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "no more" {
		t.Errorf("it ends with %v", err)
	}
}

// A refusal is no gRPC: its client makes a status of HTTP's, and quotes the body.
func TestGRPCRefusals(t *testing.T) {
	ca := certtest.New(t)
	w := startGRPC(t, ca)
	routes := []string{"POST /grpc.testing.TestService/*"}
	other := w.token(desk.Grant{Routes: []string{"GET /**"}})
	spent := w.token(desk.Grant{Routes: routes, Limit: 1, Window: forever})
	interop.DoEmptyUnaryCall(t.Context(), testgrpc.NewTestServiceClient(w.grpc(t, ca, spent.JWT)))
	for _, tt := range []struct {
		jwt    string
		code   codes.Code
		reason string
	}{
		{"none", codes.Unauthenticated, "invalid_token"},
		{other.JWT, codes.PermissionDenied, "route_forbidden"},
		{spent.JWT, codes.Unavailable, "rate_limited"},
	} {
		client := testgrpc.NewTestServiceClient(w.grpc(t, ca, tt.jwt))
		check := func(err error) {
			t.Helper()
			if s := status.Convert(err); s.Code() != tt.code || !strings.Contains(s.Message(), tt.reason) {
				t.Errorf("%s reaches the client as %v", tt.reason, err)
			}
		}
		_, err := client.EmptyCall(t.Context(), &testgrpc.Empty{})
		check(err)
		// So it is while the client's side of a stream is still open.
		stream, err := client.FullDuplexCall(t.Context())
		if err == nil {
			_, err = stream.Recv()
		}
		check(err)
	}
}
