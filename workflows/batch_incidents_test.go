package workflows_test

import (
	"fmt"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	updatepb "go.temporal.io/api/update/v1"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// incident is something that comes into a run's history between two workflow tasks.
type incident struct {
	name   string
	event  func(b *batch) // adds its events
	end    bool           // of the attempt
	n      int            // of a progress signal of the attempt
	update bool           // it comes beside the history
}

// batch is a history that grows.
type batch struct {
	t         *testing.T
	events    []*historypb.HistoryEvent
	messages  []*protocolpb.Message
	n         int // of the last progress signal of the attempt
	at        time.Time
	activity  int64 // event of the open attempt
	look      int64 // event of the open look for an agent
	timer     int64 // event of the open timer
	child     int64 // event of the child that was asked for
	childID   string
	timerName string
}

func (b *batch) add(e *historypb.HistoryEvent) int64 {
	e.EventId, e.EventTime = int64(len(b.events)+1), timestamppb.New(b.at)
	b.events = append(b.events, e)
	return e.EventId
}

func (b *batch) payloads(v any) *commonpb.Payloads {
	p, err := workflows.DataConverter().ToPayloads(v)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *batch) signal(name string, v any) {
	b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: name, Input: b.payloads(v)},
	}})
}

// taken adds that a worker took the attempt.
func (b *batch) taken() int64 { return b.begins(b.activity) }

// begins adds that a worker took an activity.
func (b *batch) begins(activity int64) int64 {
	return b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
		ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: activity, Attempt: 1},
	}})
}

// report is what the attempt's worker knows by now.
func (b *batch) report() activities.AttemptReport {
	r := activities.AttemptReport{AgentID: "agent-1", StartedAt: &b.at, N: b.n}
	if b.n > 0 {
		p := progressOf(b.n, b.at)
		r.Progress = &p
	}
	return r
}

func progressOf(n int, at time.Time) sdk.Progress {
	return sdk.Progress{Percentage: float64(10 * n), Overall: float64(10 * n), At: at.Add(time.Duration(n) * time.Millisecond), Attempt: 1}
}

func began() incident {
	return incident{name: "started", event: func(b *batch) {
		b.signal(workflows.AttemptStarted.Name, workflows.AttemptStartedInput{Attempt: 1, AgentID: "agent-1", StartedAt: b.at})
	}}
}

func progress(n int) incident {
	return incident{name: fmt.Sprint("progress ", n), n: n, event: func(b *batch) {
		b.n = n
		b.signal(workflows.TaskProgressed.Name, workflows.TaskProgressedInput{Attempt: 1, N: n, Progress: progressOf(n, b.at)})
	}}
}

func stale() incident {
	return incident{name: "stale progress", event: func(b *batch) {
		b.signal(workflows.TaskProgressed.Name, workflows.TaskProgressedInput{Stage: 3, Attempt: 1, N: 99, Progress: progressOf(9, b.at)})
	}}
}

func cancelReason() incident {
	return incident{name: "reason", event: func(b *batch) {
		b.signal(workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: "changed my mind"})
	}}
}

func cancels() incident {
	return incident{name: "cancel", event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED, Attributes: &historypb.HistoryEvent_WorkflowExecutionCancelRequestedEventAttributes{
			WorkflowExecutionCancelRequestedEventAttributes: &historypb.WorkflowExecutionCancelRequestedEventAttributes{},
		}})
	}}
}

func fires() incident {
	return incident{name: "timer", event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_TIMER_FIRED, Attributes: &historypb.HistoryEvent_TimerFiredEventAttributes{
			TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{TimerId: b.timerName, StartedEventId: b.timer},
		}})
	}}
}

func completed(with func(*activities.AttemptReport)) incident {
	return incident{name: "completed", end: true, event: func(b *batch) {
		report := b.report()
		with(&report)
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: b.activity, StartedEventId: b.taken(), Result: b.payloads(report)},
		}})
	}}
}

func failed(code string, final bool) incident {
	return incident{name: "failed " + code, end: true, event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
			ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: b.activity, StartedEventId: b.taken(), Failure: &failurepb.Failure{
				Message: "no", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
					Type: code, NonRetryable: final, Details: b.payloads(b.report()),
				}},
			}},
		}})
	}}
}

func lost() incident {
	return incident{name: "lost", end: true, event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, Attributes: &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
			ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{ScheduledEventId: b.activity, StartedEventId: b.taken(), Failure: &failurepb.Failure{
				FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{
					TimeoutType: enumspb.TIMEOUT_TYPE_HEARTBEAT, LastHeartbeatDetails: b.payloads(b.report()),
				}},
			}},
		}})
	}}
}

// late is an incident that comes when the task's whole time is over.
func late(in incident) incident {
	event := in.event
	in.name, in.event = in.name+" late", func(b *batch) {
		b.at = b.at.Add(30 * 24 * time.Hour)
		event(b)
	}
	return in
}

// finds is that somebody was found.
func finds() incident {
	return incident{name: "found", event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
				ScheduledEventId: b.look, StartedEventId: b.begins(b.look), Result: b.payloads(activities.FindAgentOutput{AgentID: "agent-2"}),
			},
		}})
	}}
}

// findsNobody is that nobody was found in time.
func findsNobody() incident {
	return incident{name: "found nobody", event: func(b *batch) {
		b.timesOut(b.look, b.begins(b.look), enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
	}}
}

// isNotTaken is that nobody took the attempt for as long as it was in its queue.
func isNotTaken() incident {
	return incident{name: "not taken", end: true, event: func(b *batch) { b.timesOut(b.activity, 0, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START) }}
}

// timesOut adds the timeout of an activity.
func (b *batch) timesOut(scheduled, started int64, kind enumspb.TimeoutType) {
	b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, Attributes: &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
		ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{
			ScheduledEventId: scheduled, StartedEventId: started, RetryState: enumspb.RETRY_STATE_TIMEOUT,
			Failure: &failurepb.Failure{Message: "late", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{
				TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: kind},
			}},
		},
	}})
}

func stops() incident {
	return incident{name: "stopped", end: true, event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, Attributes: &historypb.HistoryEvent_ActivityTaskCanceledEventAttributes{
			ActivityTaskCanceledEventAttributes: &historypb.ActivityTaskCanceledEventAttributes{ScheduledEventId: b.activity, StartedEventId: b.taken(), Details: b.payloads(b.report())},
		}})
	}}
}

// childType is the type of a task's child.
func childType() *commonpb.WorkflowType { return &commonpb.WorkflowType{Name: workflows.TaskWorkflow} }

func childStarts() incident {
	return incident{name: "child starts", event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED, Attributes: &historypb.HistoryEvent_ChildWorkflowExecutionStartedEventAttributes{
			ChildWorkflowExecutionStartedEventAttributes: &historypb.ChildWorkflowExecutionStartedEventAttributes{
				InitiatedEventId: b.child, WorkflowType: childType(), WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: b.childID, RunId: "run-c"},
			},
		}})
	}}
}

func childDoesNot() incident {
	return incident{name: "child does not start", event: func(b *batch) {
		b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED, Attributes: &historypb.HistoryEvent_StartChildWorkflowExecutionFailedEventAttributes{
			StartChildWorkflowExecutionFailedEventAttributes: &historypb.StartChildWorkflowExecutionFailedEventAttributes{
				InitiatedEventId: b.child, WorkflowType: childType(), WorkflowId: b.childID,
				Cause: enumspb.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS,
			},
		}})
	}}
}

// delegates asks for a child of the run, which is that of its first event.
func delegates() incident {
	return incident{name: "delegation", update: true, event: func(b *batch) {
		project, id, _ := workflows.ParseTaskWorkflowID(b.events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowId())
		in := childOf(id, "c9", func(in *workflows.DelegateTaskInput) { in.Child.Project = project })
		body, err := anypb.New(&updatepb.Request{
			Meta: &updatepb.Meta{UpdateId: "c9"}, Input: &updatepb.Input{Name: workflows.DelegateTask.Name, Args: b.payloads(in)},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		b.messages = append(b.messages, &protocolpb.Message{Id: "m", ProtocolInstanceId: "c9", Body: body})
	}}
}

func answers() incident {
	return incident{name: "answer", update: true, event: func(b *batch) {
		body, err := anypb.New(&updatepb.Request{
			Meta: &updatepb.Meta{UpdateId: "u"}, Input: &updatepb.Input{Name: workflows.ProvideInput.Name,
				Args: b.payloads(workflows.ProvideInputInput{RequestID: "input-0-1", Answer: []byte(`80`)})},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		b.messages = append(b.messages, &protocolpb.Message{Id: "m", ProtocolInstanceId: "u", Body: body})
	}}
}
