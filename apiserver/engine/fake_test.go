package engine

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// at is so many seconds after the run of these tests started.
func at(seconds int) time.Time { return time.Date(2026, 1, 2, 3, 4, 5+seconds, 0, time.UTC) }

func ptr[T any](v T) *T { return &v }

// oneRun answers like a Temporal with one run in it, and counts what it is asked.
type oneRun struct {
	mu       sync.Mutex
	run      *workflowservice.DescribeWorkflowExecutionResponse // nil: not found
	close    *historypb.HistoryEvent
	first    *historypb.HistoryEvent
	closed   chan struct{} // ends long polls
	failure  error         // of describes
	missed   bool          // long polls do not wake up
	signals  []string
	cancels  int
	updates  int
	fresh    bool                                       // takes a start
	begun    *client.StartWorkflowOptions               // of the last start
	input    workflows.TaskInput                        // of it
	answer   error                                      // of an update
	answers  []error                                    // of the first updates, before answer
	queue    *workflowservice.DescribeTaskQueueResponse // nil: none
	queues   []string                                   // looked at
	progress func(context.Context) ([]sdk.Progress, error)

	ended endedRuns                                          // ended runs
	child *workflowservice.DescribeWorkflowExecutionResponse // nil: not found

	describes, polls, openPolls, reads, firsts int
	looked                                     chan struct{} // one for each describe
}

func newOneRun(t testing.TB, in workflows.TaskInput) *oneRun {
	t.Helper()
	o := &oneRun{closed: make(chan struct{}), looked: make(chan struct{}, 10_000)}
	o.run = &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.TaskWorkflowID(in.Project, in.ID), RunId: "run-1"},
		Type:      &commonpb.WorkflowType{Name: workflows.TaskWorkflow},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, StartTime: timestamppb.New(at(0)),
		Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{workflows.MemoTask: payload(t, workflows.NewTaskMemo(workflows.NewTask(in, at(-1))))}},
	}}
	o.first = &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, in)}}}
	return o
}

func payload(t testing.TB, v any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func payloads(t testing.TB, v ...any) *commonpb.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(v...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// setState writes the memo a transition leaves.
func (o *oneRun) setState(t testing.TB, s workflows.TaskState) {
	o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoState] = payload(t, s)
}

// setAttempt makes the run wait for an attempt; report may be nil.
func (o *oneRun) setAttempt(t testing.TB, stage, attempt int, state enumspb.PendingActivityState, report *activities.AttemptReport) {
	p := &workflowpb.PendingActivityInfo{
		ActivityId: activities.AttemptID(stage, attempt), ActivityType: &commonpb.ActivityType{Name: activities.ExecuteTaskName},
		State: state, ScheduledTime: timestamppb.New(at(1)),
	}
	if state != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
		p.LastStartedTime, p.LastWorkerIdentity = timestamppb.New(at(2)), "77@host"
	}
	if report != nil {
		p.HeartbeatDetails = payloads(t, report)
	}
	o.run.PendingActivities = []*workflowpb.PendingActivityInfo{p}
}

// end closes the run; long polls wake up unless they are to miss it.
func (o *oneRun) end(status enumspb.WorkflowExecutionStatus, event *historypb.HistoryEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.run.PendingActivities = nil
	o.run.WorkflowExecutionInfo.Status, o.run.WorkflowExecutionInfo.CloseTime = status, timestamppb.New(at(60))
	o.close = event
	if !o.missed {
		close(o.closed)
	}
}

// reset ends the run as an operator's reset does, and puts another one of the same workflow id in its place, which starts later.
func (o *oneRun) reset(runID string, started time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.run.WorkflowExecutionInfo
	o.run.WorkflowExecutionInfo = &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: old.Execution.WorkflowId, RunId: runID},
		Type:      old.Type, Status: old.Status, StartTime: timestamppb.New(started), Memo: old.Memo,
	}
	o.close = &historypb.HistoryEvent{}
	close(o.closed)
	o.closed = make(chan struct{})
}

func completed(t testing.TB, task sdk.Task) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads(t, task)}}}
}

func failed(f *failurepb.Failure) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
		WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: f}}}
}

func canceled(t testing.TB, details ...any) *historypb.HistoryEvent {
	attributes := &historypb.WorkflowExecutionCanceledEventAttributes{}
	if len(details) > 0 {
		attributes.Details = payloads(t, details...)
	}
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{WorkflowExecutionCanceledEventAttributes: attributes}}
}

func failureOf(err error) *failurepb.Failure {
	return temporal.GetDefaultFailureConverter().ErrorToFailure(err)
}

func (o *oneRun) DescribeWorkflowExecution(_ context.Context, workflowID, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.child != nil && o.child.WorkflowExecutionInfo.Execution.WorkflowId == workflowID {
		return o.child, nil
	}
	o.describes++
	o.looked <- struct{}{}
	if o.failure != nil {
		return nil, o.failure
	}
	if o.run == nil || o.run.WorkflowExecutionInfo.Execution.WorkflowId != workflowID {
		return nil, serviceerror.NewNotFound("workflow not found for ID: " + workflowID)
	}
	info := o.run.WorkflowExecutionInfo
	return &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
			Execution: info.Execution, Type: info.Type, Status: info.Status, StartTime: info.StartTime, CloseTime: info.CloseTime, Memo: info.Memo,
			SearchAttributes: info.SearchAttributes,
		},
		PendingActivities: o.run.PendingActivities, PendingWorkflowTask: o.run.PendingWorkflowTask, WorkflowExtendedInfo: o.run.WorkflowExtendedInfo,
	}, nil
}

func (o *oneRun) GetWorkflowHistory(ctx context.Context, _, _ string, longPoll bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !longPoll {
		o.reads++
		return &closeEvents{event: o.close}
	}
	o.polls++
	o.openPolls++
	return &closeEvents{run: o, closed: o.closed, ctx: ctx}
}

// closeEvents is a history whose only event is the close event.
type closeEvents struct {
	event  *historypb.HistoryEvent
	run    *oneRun // for a long poll
	closed chan struct{}
	ctx    context.Context
	err    error
}

func (c *closeEvents) HasNext() bool {
	if c.run == nil {
		return c.event != nil
	}
	select {
	case <-c.closed:
	case <-c.ctx.Done():
		c.err = c.ctx.Err()
	}
	c.run.mu.Lock()
	defer c.run.mu.Unlock()
	if c.err == nil {
		c.event = c.run.close
	}
	c.run.openPolls--
	return true
}

func (c *closeEvents) Next() (*historypb.HistoryEvent, error) { return c.event, c.err }

func (o *oneRun) SignalWorkflow(_ context.Context, _, _, name string, _ any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.signals = append(o.signals, name)
	return o.answer
}

func (o *oneRun) CancelWorkflow(context.Context, string, string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancels++
	return nil
}

func (o *oneRun) UpdateWorkflow(context.Context, client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.updates++
	if len(o.answers) > 0 {
		first := o.answers[0]
		o.answers = o.answers[1:]
		return settled{err: first}, nil
	}
	return settled{err: o.answer}, nil
}

type settled struct {
	client.WorkflowUpdateHandle
	err error
}

func (s settled) Get(context.Context, any) error { return s.err }

func (o *oneRun) QueryWorkflow(ctx context.Context, _, _, _ string, _ ...any) (converter.EncodedValue, error) {
	items, err := o.progress(ctx)
	return encoded{items}, err
}

type encoded struct{ items []sdk.Progress }

func (e encoded) HasValue() bool { return true }

func (e encoded) Get(out any) error {
	out.(*workflows.ListProgressOutput).Items = e.items
	return nil
}

func (o *oneRun) ExecuteWorkflow(_ context.Context, opts client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begun, o.input = &opts, args[0].(workflows.TaskInput)
	if o.fresh {
		return startedRun{}, nil
	}
	if o.run != nil {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it runs", "request", "run-1")
	}
	return nil, serviceerror.NewInvalidArgument("no mapping for " + opts.ID)
}

type startedRun struct{ client.WorkflowRun }

func (startedRun) GetRunID() string { return "run-1" }

func (o *oneRun) WorkflowService() workflowservice.WorkflowServiceClient { return service{run: o} }

type service struct {
	workflowservice.WorkflowServiceClient
	run *oneRun
}

func (s service) GetWorkflowExecutionHistory(context.Context, *workflowservice.GetWorkflowExecutionHistoryRequest, ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	s.run.firsts++
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{s.run.first}}}, nil
}

func (o *oneRun) counts() (describes, polls, openPolls, reads, firsts int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.describes, o.polls, o.openPolls, o.reads, o.firsts
}

func input(more ...func(*sdk.TaskRequest)) workflows.TaskInput {
	r := sdk.TaskRequest{
		Type: sdk.TypeCodeWrite, Title: "t", Description: "d", Input: []byte(`{"n":9007199254740993}`),
		Fallback: []sdk.Stage{{Role: sdk.RoleDebugger, Model: "small", Retry: &sdk.Retry{MaxAttempts: 7}}},
	}
	for _, f := range more {
		f(&r)
	}
	return workflows.TaskInput{Project: "p", Organization: "o", ID: "a", Request: r}
}

func newTestEngine(t testing.TB, o *oneRun, cfg Config) *Engine {
	t.Helper()
	e := newEngine(o, cfg)
	e.bellTimes = bellTimes{start: patience, look: patience} // a log that is slow is there
	t.Cleanup(e.Close)
	return e
}

// DescribeTaskQueue answers queue, or that there is no answer.
func (s service) DescribeTaskQueue(_ context.Context, in *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.DescribeTaskQueueResponse, error) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	s.run.queues = append(s.run.queues, in.GetTaskQueue().GetName())
	if s.run.queue == nil {
		return nil, serviceerror.NewUnavailable("no word of any queue")
	}
	return s.run.queue, nil
}
