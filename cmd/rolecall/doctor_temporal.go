package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// freshPoll is how recently somebody must have asked a queue for work to count: a poll lasts a minute.
const freshPoll = 90 * time.Second

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// lookAtTemporal looks at the namespace, at who runs workflows and at who works for the roles.
func (e *examination) lookAtTemporal(ctx context.Context, opts client.Options, roles []sdk.Role) error {
	var conn connection
	opts.ConnectionOptions.DialOptions = append(slices.Clone(opts.ConnectionOptions.DialOptions), grpc.WithChainUnaryInterceptor(conn.keep))
	c, err := client.NewLazyClient(opts)
	if err != nil {
		return err
	}
	defer c.Close()
	asked, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	namespace, err := c.WorkflowService().DescribeNamespace(asked, &workflowservice.DescribeNamespaceRequest{Namespace: opts.Namespace})
	if err != nil {
		if ctx.Err() == nil && asked.Err() != nil {
			return errors.New("nobody answers")
		}
		e.Temporal.Reachable = refused(err)
		return fmt.Errorf("namespace %s: %w", opts.Namespace, err)
	}
	e.Temporal.Reachable = true
	e.Temporal.RetentionMs = namespace.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration().Milliseconds()
	q, err := queueOf(ctx, c, opts.Namespace, workflows.ControlQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return fmt.Errorf("task queue %s: %w", workflows.ControlQueue, err)
	}
	var unseen error // of the versions; the rest is looked at all the same
	e.Control = &q
	e.Versions, unseen = withDrainage(ctx, c, versionsOf(q))
	for _, r := range roles {
		queue := workflows.RoleQueue(e.Project, r)
		q, err := queueOf(ctx, c, opts.Namespace, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		if err != nil {
			return errors.Join(unseen, fmt.Errorf("task queue %s: %w", queue, err))
		}
		q.Role = r
		e.Roles = append(e.Roles, q)
	}
	e.Temporal.Clock = temporalClock(ctx, c.WorkflowService(), opts.Namespace)
	e.Temporal.Fairness = e.fairness(ctx, &conn, opts.Namespace)
	return unseen
}

// fairness is what the queues say of it; who is not let look is told by the first.
func (e *examination) fairness(ctx context.Context, conn *connection, namespace string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	one, err := conn.fairness(ctx, namespace, e.Control.Queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	said := []string{one}
	for _, q := range e.Roles {
		if err != nil {
			break
		}
		one, err = conn.fairness(ctx, namespace, q.Queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		said = append(said, one)
	}
	return allQueues(said)
}

// refused reports whether an error is the answer of a server that does not do what it was asked.
func refused(err error) bool {
	switch serviceerror.ToStatus(err).Code() {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.ResourceExhausted, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// queueOf looks at one queue: who polls it, as which versions, and what waits.
func queueOf(ctx context.Context, c client.Client, namespace, name string, kind enumspb.TaskQueueType) (queueSeen, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	got, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: name}, TaskQueueType: kind, ReportStats: true,
	})
	if err != nil {
		return queueSeen{}, err
	}
	q := queueSeen{
		Queue: name, Waiting: got.GetStats().GetApproximateBacklogCount(),
		OldestMs: got.GetStats().GetApproximateBacklogAge().AsDuration().Milliseconds(), Pollers: []pollerSeen{},
		hands: handingOf(got.GetVersioningInfo()),
	}
	for _, p := range got.GetPollers() {
		ago := time.Since(p.GetLastAccessTime().AsTime())
		if ago > freshPoll {
			continue
		}
		q.Pollers = append(q.Pollers, pollerSeen{Identity: p.GetIdentity(), SeenMsAgo: max(ago, 0).Milliseconds()})
		if b := buildOf(p); !slices.Contains(q.asking, b) {
			q.asking = append(q.asking, b)
		}
	}
	return q, nil
}
