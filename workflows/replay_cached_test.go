package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/workflows"
)

// frontend plays a recorded run to a worker as the server did: the first workflow task with the history so far, each next one on
// the worker's sticky queue with the new events only, so that the run must be in the worker's cache. It stands in a client's
// interceptor: no call leaves the process.
type frontend struct {
	fresh, sticky chan *workflowservice.PollWorkflowTaskQueueResponse
	answers       chan proto.Message // what the worker answers a workflow task with, be it that it asks for the whole history
}

func (f *frontend) call(ctx context.Context, _ string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
	var got proto.Message
	switch in := req.(type) {
	case *workflowservice.GetSystemInfoRequest:
		got = &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{
			SignalAndQueryHeader: true, InternalErrorDifferentiation: true, ActivityFailureIncludeHeartbeat: true, SupportsSchedules: true,
			EncodedFailureAttributes: true, UpsertMemo: true, EagerWorkflowStart: true, SdkMetadata: true,
		}}
	case *workflowservice.DescribeNamespaceRequest:
		got = &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{Name: in.GetNamespace(), State: enumspb.NAMESPACE_STATE_REGISTERED}}
	case *workflowservice.PollWorkflowTaskQueueRequest:
		tasks := f.fresh
		if in.GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
			tasks = f.sticky
		}
		select {
		case got = <-tasks:
		case <-ctx.Done():
			return ctx.Err()
		}
	case *workflowservice.RespondWorkflowTaskCompletedRequest, *workflowservice.RespondWorkflowTaskFailedRequest, *workflowservice.GetWorkflowExecutionHistoryRequest:
		answer, ok := in.(proto.Message)
		if !ok {
			return fmt.Errorf("%T is no message", in)
		}
		select {
		case f.answers <- answer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if into, ok := reply.(proto.Message); ok && got != nil {
		proto.Merge(into, got)
	}
	return nil
}

// newFrontend is one that nobody has called.
func newFrontend() *frontend {
	return &frontend{
		fresh: make(chan *workflowservice.PollWorkflowTaskQueueResponse), sticky: make(chan *workflowservice.PollWorkflowTaskQueueResponse),
		answers: make(chan proto.Message),
	}
}

// workerOn starts a worker whose server is f, and whose local activities publish by the given function.
func workerOn(t *testing.T, f *frontend, publish func(context.Context, activities.PublishEventsInput) error) {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)), DataConverter: workflows.DataConverter(),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(f.call)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := worker.New(c, workflows.ControlQueue, worker.Options{LocalActivityWorkerOnly: true, DeadlockDetectionTimeout: time.Minute})
	workflows.Register(w)
	w.RegisterActivityWithOptions(publish, activity.RegisterOptions{Name: activities.PublishEventsLocallyName})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Stop()
		c.Close()
	})
}

// TestKeptHistoriesReplayInAWorkersCache is the replay with the sticky cache. It compares what the SDK's replayer does not: the
// inputs of activities, memos, and the records of runs that failed or were cancelled. A code that changes one of them replays old
// runs all the same, so only the histories of the code as it stands are held to it.
func TestKeptHistoriesReplayInAWorkersCache(t *testing.T) {
	t.Parallel()
	for name, h := range histories(t, "next") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for tries := 1; !replayCached(t, h.GetEvents()); tries++ {
				if tries == 20 {
					t.Fatal("this machine is too slow for a local activity")
				}
			}
		})
	}
}

// replayCached gives a worker a recorded run; false says that the worker did not get to tell all in one of the workflow tasks, or took
// longer for it than was recorded, so that the rest of the run, or its times, are others than were recorded.
func replayCached(t *testing.T, events []*historypb.HistoryEvent) bool {
	t.Helper()
	f, before := newFrontend(), 0 // before is how many events the worker has had
	away := slices.ContainsFunc(events, isPublishedLater)
	workerOn(t, f, func(context.Context, activities.PublishEventsInput) error {
		if away {
			return errAway
		}
		return nil
	})
	for n, e := range events {
		if e.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			continue
		}
		queue, decided := f.sticky, decisions(events[n+1:])
		if before == 0 {
			queue = f.fresh
		}
		answer := f.give(t, queue, workflowTask(t, events, before, n+1, decided))
		if publishesLater(answer) && !slices.ContainsFunc(decided, isPublishedLater) || toldAt(t, answer).After(nextStart(events[n+1:])) {
			return false
		}
		compare(t, answer, decided)
		before = n + 1
	}
	return true
}

// toldAt is what the run's clock said when the last local activity of a workflow task had ended. The clock goes on while one runs and is
// never set back, so that the next workflow task begins then, or when it is started.
func toldAt(t *testing.T, answer *workflowservice.RespondWorkflowTaskCompletedRequest) (at time.Time) {
	t.Helper()
	for _, c := range answer.GetCommands() {
		data := c.GetRecordMarkerCommandAttributes().GetDetails()["data"]
		if data == nil {
			continue
		}
		var marker struct{ ReplayTime time.Time }
		if err := converter.GetDefaultDataConverter().FromPayloads(data, &marker); err != nil || marker.ReplayTime.IsZero() {
			t.Fatalf("a marker that is none of a local activity: %v, %v", err, c)
		}
		at = marker.ReplayTime
	}
	return at
}

// nextStart is when the next workflow task was started; long after everything where there is none.
func nextStart(events []*historypb.HistoryEvent) time.Time {
	for _, e := range events {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			return e.GetEventTime().AsTime()
		}
	}
	return time.Unix(1<<40, 0)
}

// publishesLater reports whether a worker leaves it to an activity or a run of its own to publish: it does so where its local activity
// fails, or does not get to its end in time.
func publishesLater(answer *workflowservice.RespondWorkflowTaskCompletedRequest) bool {
	return slices.ContainsFunc(answer.GetCommands(), func(c *commandpb.Command) bool {
		return c.GetScheduleActivityTaskCommandAttributes().GetActivityType().GetName() == activities.PublishEventsName ||
			c.GetStartChildWorkflowExecutionCommandAttributes().GetWorkflowType().GetName() == workflows.PublishEventsWorkflow
	})
}

// isPublishedLater reports whether an event is that of a command by which publishing was left to later.
func isPublishedLater(e *historypb.HistoryEvent) bool {
	return e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activities.PublishEventsName ||
		e.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetWorkflowType().GetName() == workflows.PublishEventsWorkflow
}

// workflowTask is the workflow task that is started by event number upTo, for a worker that has had the events before. Updates that
// were accepted with it come beside the history.
func workflowTask(t *testing.T, events []*historypb.HistoryEvent, before, upTo int, decided []*historypb.HistoryEvent) *workflowservice.PollWorkflowTaskQueueResponse {
	t.Helper()
	start := events[0].GetWorkflowExecutionStartedEventAttributes()
	task := &workflowservice.PollWorkflowTaskQueueResponse{
		TaskToken: []byte("token"), Attempt: 1, WorkflowType: start.GetWorkflowType(),
		WorkflowExecution:      &commonpb.WorkflowExecution{WorkflowId: start.GetWorkflowId(), RunId: start.GetOriginalExecutionRunId()},
		PreviousStartedEventId: int64(before), StartedEventId: int64(upTo),
		History: &historypb.History{Events: events[before:upTo]},
	}
	for _, e := range decided {
		a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		if a == nil {
			continue
		}
		body, err := anypb.New(a.GetAcceptedRequest())
		if err != nil {
			t.Fatal(err)
		}
		task.Messages = append(task.Messages, &protocolpb.Message{
			Id: a.GetAcceptedRequestMessageId(), ProtocolInstanceId: a.GetProtocolInstanceId(), Body: body,
			SequencingId: &protocolpb.Message_EventId{EventId: a.GetAcceptedRequestSequencingEventId()},
		})
	}
	return task
}

// give hands a workflow task to the worker and answers what the worker makes of it.
func (f *frontend) give(t *testing.T, queue chan<- *workflowservice.PollWorkflowTaskQueueResponse, task *workflowservice.PollWorkflowTaskQueueResponse) *workflowservice.RespondWorkflowTaskCompletedRequest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case queue <- task:
	case <-ctx.Done():
		t.Fatalf("nobody takes the workflow task of event %d", task.GetStartedEventId())
	}
	select {
	case answer := <-f.answers:
		if completed, ok := answer.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok {
			return completed
		}
		t.Fatalf("the workflow task of event %d is answered with %T: %v", task.GetStartedEventId(), answer, answer)
	case <-ctx.Done():
		t.Fatalf("the workflow task of event %d is not answered", task.GetStartedEventId())
	}
	return nil
}

// decisions are the events that a workflow task led to; events begins with its completion.
func decisions(events []*historypb.HistoryEvent) (decided []*historypb.HistoryEvent) {
	completed := events[0].GetEventId()
	for _, e := range events[1:] {
		attributes := e.ProtoReflect()
		one := attributes.Get(attributes.WhichOneof(attributes.Descriptor().Oneofs().ByName("attributes"))).Message()
		field := one.Descriptor().Fields().ByName("workflow_task_completed_event_id")
		update := e.GetWorkflowExecutionUpdateAcceptedEventAttributes() != nil || e.GetWorkflowExecutionUpdateCompletedEventAttributes() != nil
		switch {
		case e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			return decided
		case update, field != nil && one.Get(field).Int() == completed:
			decided = append(decided, e)
		}
	}
	return decided
}

// compare checks that a worker's commands are those that made the recorded events.
func compare(t *testing.T, answer *workflowservice.RespondWorkflowTaskCompletedRequest, decided []*historypb.HistoryEvent) {
	t.Helper()
	var got, want []recorded
	for _, c := range answer.GetCommands() {
		got = append(got, ofCommand(c))
	}
	for _, e := range decided {
		want = append(want, ofEvent(e))
	}
	if diff := cmp.Diff(want, got, protocmp.Transform(), cmp.AllowUnexported(recorded{})); diff != "" {
		t.Fatalf("the worker decides otherwise than was recorded (-recorded +decided); if that is meant, run make histories and read the diff:\n%s", diff)
	}
}
