package upstream

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// The client and server of gRPC's own interoperability tests, with the gateway
// between them.
func TestGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	f := newFront(t, "proxy", l.Addr().String(), func(o *Options) { o.H2C = true })
	conn, err := grpc.NewClient(f.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client, ctx := testgrpc.NewTestServiceClient(conn), t.Context()
	for name, call := range map[string]func(){
		"empty unary":            func() { interop.DoEmptyUnaryCall(ctx, client) },
		"large unary":            func() { interop.DoLargeUnaryCall(ctx, client) },
		"client streaming":       func() { interop.DoClientStreaming(ctx, client) },
		"server streaming":       func() { interop.DoServerStreaming(ctx, client) },
		"ping pong":              func() { interop.DoPingPong(ctx, client) },
		"empty stream":           func() { interop.DoEmptyStream(ctx, client) },
		"timeout on sleep":       func() { interop.DoTimeoutOnSleepingServer(ctx, client) },
		"cancel after first":     func() { interop.DoCancelAfterFirstResponse(ctx, client) },
		"custom metadata":        func() { interop.DoCustomMetadata(ctx, client) },
		"status and message":     func() { interop.DoStatusCodeAndMessage(ctx, client) },
		"special status message": func() { interop.DoSpecialStatusMessage(ctx, client) },
		"unimplemented method":   func() { interop.DoUnimplementedMethod(ctx, conn) },
		"unimplemented service":  func() { interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn)) },
	} {
		t.Run(name, func(*testing.T) { call() }) // a failure ends the process, in gRPC's words
	}
}
