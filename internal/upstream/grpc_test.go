package upstream

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// The client and server of gRPC's own interoperability tests, with nothing but
// sending on between them; internal/systemtest has them all through the whole gateway.
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
		"large unary":        func() { interop.DoLargeUnaryCall(ctx, client) },
		"ping pong":          func() { interop.DoPingPong(ctx, client) },
		"cancel after first": func() { interop.DoCancelAfterFirstResponse(ctx, client) },
		"custom metadata":    func() { interop.DoCustomMetadata(ctx, client) },
		"status and message": func() { interop.DoStatusCodeAndMessage(ctx, client) },
	} {
		t.Run(name, func(*testing.T) { call() }) // a failure ends the process, in gRPC's words
	}
}
