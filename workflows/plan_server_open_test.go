package workflows_test

import (
	"slices"
	"strings"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func (s *planServer) recordTimer(c *commandpb.Command, completed int64) {
	if a := c.GetCancelTimerCommandAttributes(); a != nil {
		for i, o := range s.openings {
			if o.name == a.GetTimerId() {
				s.openings = append(s.openings[:i:i], s.openings[i+1:]...)
				break
			}
		}
		s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_TIMER_CANCELED, Attributes: &historypb.HistoryEvent_TimerCanceledEventAttributes{
			TimerCanceledEventAttributes: &historypb.TimerCanceledEventAttributes{TimerId: a.GetTimerId(), WorkflowTaskCompletedEventId: completed},
		}})
		return
	}
	a := c.GetStartTimerCommandAttributes()
	started := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_TIMER_STARTED, Attributes: &historypb.HistoryEvent_TimerStartedEventAttributes{
		TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{TimerId: a.GetTimerId(), StartToFireTimeout: a.GetStartToFireTimeout(), WorkflowTaskCompletedEventId: completed},
	}})
	s.openings = append(s.openings, opening{a.GetTimerId(), func() {
		s.at = s.at.Add(a.GetStartToFireTimeout().AsDuration())
		s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_TIMER_FIRED, Attributes: &historypb.HistoryEvent_TimerFiredEventAttributes{
			TimerFiredEventAttributes: &historypb.TimerFiredEventAttributes{TimerId: a.GetTimerId(), StartedEventId: started},
		}})
	}})
}

func (s *planServer) recordChild(c *commandpb.Command, completed int64) {
	s.t.Helper()
	if a := c.GetSignalExternalWorkflowExecutionCommandAttributes(); a != nil {
		initiated := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, Attributes: &historypb.HistoryEvent_SignalExternalWorkflowExecutionInitiatedEventAttributes{
			SignalExternalWorkflowExecutionInitiatedEventAttributes: &historypb.SignalExternalWorkflowExecutionInitiatedEventAttributes{
				Namespace: a.GetNamespace(), WorkflowExecution: a.GetExecution(), SignalName: a.GetSignalName(), Input: a.GetInput(), Control: a.GetControl(), //nolint:staticcheck // the SDK reads it
				ChildWorkflowOnly: a.GetChildWorkflowOnly(), WorkflowTaskCompletedEventId: completed,
			},
		}})
		s.openings = append(s.openings, opening{"signal", func() {
			if s.gone(a.GetExecution().GetWorkflowId()) {
				s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, Attributes: &historypb.HistoryEvent_SignalExternalWorkflowExecutionFailedEventAttributes{
					SignalExternalWorkflowExecutionFailedEventAttributes: &historypb.SignalExternalWorkflowExecutionFailedEventAttributes{
						Cause: enumspb.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND, InitiatedEventId: initiated,
						WorkflowExecution: a.GetExecution(), WorkflowTaskCompletedEventId: completed,
					},
				}})
				return
			}
			s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, Attributes: &historypb.HistoryEvent_ExternalWorkflowExecutionSignaledEventAttributes{
				ExternalWorkflowExecutionSignaledEventAttributes: &historypb.ExternalWorkflowExecutionSignaledEventAttributes{InitiatedEventId: initiated, WorkflowExecution: a.GetExecution()},
			}})
		}})
		return
	}
	if a := c.GetRequestCancelExternalWorkflowExecutionCommandAttributes(); a != nil {
		execution := &commonpb.WorkflowExecution{WorkflowId: a.GetWorkflowId(), RunId: a.GetRunId()}
		initiated := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, Attributes: &historypb.HistoryEvent_RequestCancelExternalWorkflowExecutionInitiatedEventAttributes{
			RequestCancelExternalWorkflowExecutionInitiatedEventAttributes: &historypb.RequestCancelExternalWorkflowExecutionInitiatedEventAttributes{
				Namespace: a.GetNamespace(), WorkflowExecution: execution, Control: a.GetControl(), //nolint:staticcheck // the SDK reads it
				ChildWorkflowOnly: a.GetChildWorkflowOnly(), WorkflowTaskCompletedEventId: completed,
			},
		}})
		s.openings = append(s.openings, opening{"cancel", func() {
			if s.gone(a.GetWorkflowId()) {
				s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, Attributes: &historypb.HistoryEvent_RequestCancelExternalWorkflowExecutionFailedEventAttributes{
					RequestCancelExternalWorkflowExecutionFailedEventAttributes: &historypb.RequestCancelExternalWorkflowExecutionFailedEventAttributes{
						Cause: enumspb.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND, InitiatedEventId: initiated,
						WorkflowExecution: execution, WorkflowTaskCompletedEventId: completed,
					},
				}})
				return
			}
			s.child(a.GetWorkflowId()).stop = true
			s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, Attributes: &historypb.HistoryEvent_ExternalWorkflowExecutionCancelRequestedEventAttributes{
				ExternalWorkflowExecutionCancelRequestedEventAttributes: &historypb.ExternalWorkflowExecutionCancelRequestedEventAttributes{InitiatedEventId: initiated, WorkflowExecution: execution},
			}})
		}})
		return
	}
	a := c.GetStartChildWorkflowExecutionCommandAttributes()
	child := &planChild{id: a.GetWorkflowId()}
	if slices.ContainsFunc(s.children, func(c *planChild) bool { return c.id == child.id }) {
		s.t.Fatalf("%s is asked for twice:\n%s", child.id, strings.Join(s.story, "\n"))
	}
	if err := workflows.DataConverter().FromPayloads(a.GetInput(), &child.in); err != nil {
		s.t.Fatal(err)
	}
	child.initiated = s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, Attributes: &historypb.HistoryEvent_StartChildWorkflowExecutionInitiatedEventAttributes{
		StartChildWorkflowExecutionInitiatedEventAttributes: &historypb.StartChildWorkflowExecutionInitiatedEventAttributes{
			WorkflowId: child.id, WorkflowType: a.GetWorkflowType(), Input: a.GetInput(), ParentClosePolicy: a.GetParentClosePolicy(), WorkflowTaskCompletedEventId: completed,
		},
	}})
	s.children = append(s.children, child)
}

// gone reports whether nothing is brought to the run of a child.
func (s *planServer) gone(id string) bool {
	return s.child(id).ended != 0 || s.refuses != nil && s.refuses()
}

func (s *planServer) child(id string) *planChild {
	for _, c := range s.children {
		if c.id == id {
			return c
		}
	}
	s.t.Fatalf("no child %s", id)
	return nil
}

// begins adds that the run of a child has started, or that it has not.
func (s *planServer) begins(c *planChild, does bool) {
	b := &s.batch
	b.child, b.childID = c.initiated, c.id
	if c.started = int64(len(b.events) + 1); does {
		childStarts().event(b)
		return
	}
	c.ended = c.started
	childDoesNot().event(b)
}

// ends adds that the run of a child has ended with a record, or, without, that it was terminated.
func (s *planServer) ends(c *planChild, record *sdk.Task) {
	s.t.Helper()
	execution, kind := &commonpb.WorkflowExecution{WorkflowId: c.id, RunId: "run-c"}, childType()
	e := &historypb.HistoryEvent{}
	switch {
	case record == nil:
		e.EventType, e.Attributes = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED, &historypb.HistoryEvent_ChildWorkflowExecutionTerminatedEventAttributes{
			ChildWorkflowExecutionTerminatedEventAttributes: &historypb.ChildWorkflowExecutionTerminatedEventAttributes{InitiatedEventId: c.initiated, StartedEventId: c.started, WorkflowExecution: execution, WorkflowType: kind},
		}
	case record.Status == sdk.StatusFailed:
		e.EventType, e.Attributes = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED, &historypb.HistoryEvent_ChildWorkflowExecutionFailedEventAttributes{
			ChildWorkflowExecutionFailedEventAttributes: &historypb.ChildWorkflowExecutionFailedEventAttributes{
				InitiatedEventId: c.initiated, StartedEventId: c.started, WorkflowExecution: execution, WorkflowType: kind,
				Failure: &failurepb.Failure{Message: "no", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
					ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "agent_failed", NonRetryable: true, Details: s.payloads(record)},
				}},
			},
		}
	case record.Status == sdk.StatusCancelled:
		e.EventType, e.Attributes = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED, &historypb.HistoryEvent_ChildWorkflowExecutionCanceledEventAttributes{
			ChildWorkflowExecutionCanceledEventAttributes: &historypb.ChildWorkflowExecutionCanceledEventAttributes{InitiatedEventId: c.initiated, StartedEventId: c.started, WorkflowExecution: execution, WorkflowType: kind, Details: s.payloads(record)},
		}
	default:
		e.EventType, e.Attributes = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED, &historypb.HistoryEvent_ChildWorkflowExecutionCompletedEventAttributes{
			ChildWorkflowExecutionCompletedEventAttributes: &historypb.ChildWorkflowExecutionCompletedEventAttributes{InitiatedEventId: c.initiated, StartedEventId: c.started, WorkflowExecution: execution, WorkflowType: kind, Result: s.payloads(record)},
		}
	}
	c.ended = s.add(e)
}

// running are the children whose end is not there.
func (s *planServer) running() (list []*planChild) {
	for _, c := range s.children {
		if c.ended == 0 {
			list = append(list, c)
		}
	}
	return list
}

// completes adds that the run of a child has ended well.
func (s *planServer) completes(c *planChild) {
	s.t.Helper()
	task := workflows.NewTask(c.in, s.at)
	task.Status, task.Result = sdk.StatusCompleted, &sdk.Result{Status: sdk.StatusCompleted}
	s.ends(c, &task)
}

// answer adds what answers everything that is open.
func (s *planServer) answer() {
	open := s.openings
	s.openings = nil
	for _, o := range open {
		o.answer()
	}
}

// memos are how many the run has written, of how many bytes, and the last of them.
func (s *planServer) memos() (n, bytes int, last workflows.PlanState) {
	s.t.Helper()
	for _, e := range s.events {
		memo := e.GetWorkflowPropertiesModifiedEventAttributes().GetUpsertedMemo().GetFields()[workflows.MemoPlanState]
		if memo == nil {
			continue
		}
		n++
		bytes += len(memo.GetData())
		last = workflows.PlanState{}
		if err := workflows.DataConverter().FromPayload(memo, &last); err != nil {
			s.t.Fatal(err)
		}
	}
	return n, bytes, last
}
