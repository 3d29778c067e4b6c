package bench

import (
	"errors"
	"io"
	"net"
	"path"
	"strings"
	"sync"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Calls are how many calls of each method there were, and how many bytes went both ways in them, without the framing.
type Calls struct {
	Methods map[string]int
	Bytes   int
}

// CountingProxy passes Temporal's calls on and counts them. A poll counts when it brings a task: how many bring nothing depends on
// time alone.
type CountingProxy struct {
	server   *grpc.Server
	conn     *grpc.ClientConn
	listener net.Listener
	served   sync.WaitGroup

	mu    sync.Mutex
	calls Calls
}

// NewCountingProxy listens on a free loopback port and passes on to target until it is closed.
func NewCountingProxy(target string) (*CountingProxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(asItIs{})))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p := &CountingProxy{conn: conn, listener: listener, calls: Calls{Methods: map[string]int{}}}
	p.server = grpc.NewServer(grpc.ForceServerCodecV2(asItIs{}), grpc.UnknownServiceHandler(p.pass))
	p.served.Go(func() { _ = p.server.Serve(listener) }) // it ends with Close
	return p, nil
}

// Addr is where to connect instead of the target.
func (p *CountingProxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and its connections.
func (p *CountingProxy) Close() error {
	p.server.Stop()
	p.served.Wait()
	return p.conn.Close()
}

// Taken is what has been counted since it was last asked for.
func (p *CountingProxy) Taken() Calls {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.calls
	p.calls = Calls{Methods: map[string]int{}}
	return taken
}

// pass hands one call on. Temporal's frontend has none with more than one message either way.
func (p *CountingProxy) pass(_ any, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	method := path.Base(full)
	var request, reply []byte
	if err := stream.RecvMsg(&request); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	poll := strings.HasPrefix(method, "Poll")
	if !poll {
		p.count(method, len(request))
	}
	ctx := stream.Context()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, md.Copy())
	}
	if err := p.conn.Invoke(ctx, full, &request, &reply); err != nil {
		return err
	}
	switch {
	case !poll:
		p.add(len(reply))
	case brings(method, reply):
		p.count(method, len(request)+len(reply))
	}
	return stream.SendMsg(&reply)
}

func (p *CountingProxy) count(method string, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls.Methods[method]++
	p.calls.Bytes += bytes
}

func (p *CountingProxy) add(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls.Bytes += bytes
}

// brings tells whether the answer to a poll holds a task. A worker also polls for commands to itself, which no task of ours causes.
func brings(method string, reply []byte) bool {
	var answer interface {
		proto.Message
		GetTaskToken() []byte
	}
	switch method {
	case "PollWorkflowTaskQueue":
		answer = &workflowservice.PollWorkflowTaskQueueResponse{}
	case "PollActivityTaskQueue":
		answer = &workflowservice.PollActivityTaskQueueResponse{}
	default:
		return false
	}
	return proto.Unmarshal(reply, answer) == nil && len(answer.GetTaskToken()) > 0
}

// asItIs is the codec of a proxy: messages are *[]byte and stay as they came.
type asItIs struct{}

var _ encoding.CodecV2 = asItIs{}

func (asItIs) Marshal(v any) (mem.BufferSlice, error) {
	raw, ok := v.(*[]byte)
	if !ok {
		return nil, errors.New("bench: the proxy passes bytes only")
	}
	return mem.BufferSlice{mem.SliceBuffer(*raw)}, nil
}

func (asItIs) Unmarshal(data mem.BufferSlice, v any) error {
	raw, ok := v.(*[]byte)
	if !ok {
		return errors.New("bench: the proxy passes bytes only")
	}
	*raw = data.Materialize()
	return nil
}

// Name is that of the codec whose messages are passed on.
func (asItIs) Name() string { return "proto" }
