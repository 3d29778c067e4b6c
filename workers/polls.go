package workers

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
)

// pollTimeout is how long one poll of a role worker lasts at most; Temporal answers an empty one a second before. A poll that is
// cancelled can lose the task it was just given, so a worker that stops lets its polls run out, and they must not be the usual
// minute long. Temporal warns of polls shorter than 10 s.
const pollTimeout = 12 * time.Second

// slotWait is how long a task that a poll brought waits inside for a slot before it is given back, about as long as a poll lasts.
const slotWait = pollTimeout

// polls bounds the polls of every worker of a client, and remembers of those that brought a task when they were sent: Temporal has
// not handed that task out before, so its lease counts from then at the earliest.
type polls struct {
	mu   sync.Mutex
	sent map[string]moment // by task token
}

// maxPolled bounds the tasks that polls have brought and nobody has begun. Beyond it they are forgotten, which costs each a heartbeat
// that is waited for.
const maxPolled = 4 * MaxSlots

func newPolls() *polls { return &polls{sent: map[string]moment{}} }

// bound is opts with bounded polls.
func (p *polls) bound(opts client.Options) client.Options {
	dial := opts.ConnectionOptions.DialOptions
	opts.ConnectionOptions.DialOptions = slices.Concat(dial, []grpc.DialOption{grpc.WithChainUnaryInterceptor(p.intercept)})
	return opts
}

func (p *polls) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := req.(*workflowservice.PollActivityTaskQueueRequest); !ok {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	sent := thisMoment()
	err := invoke(ctx, method, req, reply, cc, opts...)
	if task, ok := reply.(*workflowservice.PollActivityTaskQueueResponse); ok && err == nil && len(task.GetTaskToken()) > 0 {
		p.remember(task.GetTaskToken(), sent)
	}
	return err
}

func (p *polls) remember(token []byte, sent moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) >= maxPolled {
		clear(p.sent)
	}
	p.sent[string(token)] = sent
}

// take answers when the poll that brought a task was sent; false when that is not known. It answers once.
func (p *polls) take(token []byte) (sent moment, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent, known = p.sent[string(token)]
	delete(p.sent, string(token))
	return sent, known
}

// endsPolls reports whether the namespace's server ends the polls of a worker that says it stops, so that nobody has to wait for
// them to run out. A server that does not say so does not.
func endsPolls(ctx context.Context, c client.Client, namespace string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTry)
	defer cancel()
	got, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	return err == nil && got.GetNamespaceInfo().GetCapabilities().GetWorkerPollCompleteOnShutdown()
}
