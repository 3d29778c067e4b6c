package workers

import (
	"context"
	"slices"
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

// withShortPolls bounds the polls of every worker of a client.
func withShortPolls(opts client.Options) client.Options {
	dial := opts.ConnectionOptions.DialOptions
	opts.ConnectionOptions.DialOptions = slices.Concat(dial, []grpc.DialOption{grpc.WithChainUnaryInterceptor(shortPoll)})
	return opts
}

func shortPoll(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := req.(*workflowservice.PollActivityTaskQueueRequest); ok {
		short, cancel := context.WithTimeout(ctx, pollTimeout)
		defer cancel()
		ctx = short
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// endsPolls reports whether the namespace's server ends the polls of a worker that says it stops, so that nobody has to wait for
// them to run out. A server that does not say so does not.
func endsPolls(ctx context.Context, c client.Client, namespace string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTry)
	defer cancel()
	got, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	return err == nil && got.GetNamespaceInfo().GetCapabilities().GetWorkerPollCompleteOnShutdown()
}
