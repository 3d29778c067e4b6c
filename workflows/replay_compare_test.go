package workflows_test

import (
	"strings"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
)

// recorded is what a command and its event have in common: what kind they are, and the part that tells one from another.
type recorded struct {
	kind string
	id   string
	data proto.Message
}

func ofCommand(c *commandpb.Command) recorded {
	r := recorded{kind: c.GetCommandType().String()}
	switch {
	case c.GetScheduleActivityTaskCommandAttributes() != nil:
		a := c.GetScheduleActivityTaskCommandAttributes()
		r.id, r.data = a.GetActivityId()+" "+a.GetActivityType().GetName()+" on "+a.GetTaskQueue().GetName(), a.GetInput()
	case c.GetStartTimerCommandAttributes() != nil:
		r.id, r.data = c.GetStartTimerCommandAttributes().GetTimerId(), c.GetStartTimerCommandAttributes().GetStartToFireTimeout()
	case c.GetStartChildWorkflowExecutionCommandAttributes() != nil:
		a := c.GetStartChildWorkflowExecutionCommandAttributes()
		r.id, r.data = a.GetWorkflowId()+" "+a.GetWorkflowType().GetName()+" "+a.GetParentClosePolicy().String(), a.GetInput()
	case c.GetSignalExternalWorkflowExecutionCommandAttributes() != nil:
		a := c.GetSignalExternalWorkflowExecutionCommandAttributes()
		r.id, r.data = a.GetExecution().GetWorkflowId()+" "+a.GetSignalName(), a.GetInput()
	case c.GetRequestCancelExternalWorkflowExecutionCommandAttributes() != nil:
		r.id = c.GetRequestCancelExternalWorkflowExecutionCommandAttributes().GetWorkflowId()
	case c.GetContinueAsNewWorkflowExecutionCommandAttributes() != nil:
		a := c.GetContinueAsNewWorkflowExecutionCommandAttributes()
		r.id, r.data = a.GetWorkflowType().GetName(), a.GetInput()
	case c.GetCompleteWorkflowExecutionCommandAttributes() != nil:
		r.data = c.GetCompleteWorkflowExecutionCommandAttributes().GetResult()
	case c.GetFailWorkflowExecutionCommandAttributes() != nil:
		r.data = c.GetFailWorkflowExecutionCommandAttributes().GetFailure()
	case c.GetCancelWorkflowExecutionCommandAttributes() != nil:
		r.data = c.GetCancelWorkflowExecutionCommandAttributes().GetDetails()
	case c.GetModifyWorkflowPropertiesCommandAttributes() != nil:
		r.data = c.GetModifyWorkflowPropertiesCommandAttributes().GetUpsertedMemo()
	}
	return r
}

func ofEvent(e *historypb.HistoryEvent) recorded {
	r := recorded{kind: commandOf(e.GetEventType())}
	switch {
	case e.GetActivityTaskScheduledEventAttributes() != nil:
		a := e.GetActivityTaskScheduledEventAttributes()
		r.id, r.data = a.GetActivityId()+" "+a.GetActivityType().GetName()+" on "+a.GetTaskQueue().GetName(), a.GetInput()
	case e.GetTimerStartedEventAttributes() != nil:
		r.id, r.data = e.GetTimerStartedEventAttributes().GetTimerId(), e.GetTimerStartedEventAttributes().GetStartToFireTimeout()
	case e.GetStartChildWorkflowExecutionInitiatedEventAttributes() != nil:
		a := e.GetStartChildWorkflowExecutionInitiatedEventAttributes()
		r.id, r.data = a.GetWorkflowId()+" "+a.GetWorkflowType().GetName()+" "+a.GetParentClosePolicy().String(), a.GetInput()
	case e.GetSignalExternalWorkflowExecutionInitiatedEventAttributes() != nil:
		a := e.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
		r.id, r.data = a.GetWorkflowExecution().GetWorkflowId()+" "+a.GetSignalName(), a.GetInput()
	case e.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes() != nil:
		r.id = e.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes().GetWorkflowExecution().GetWorkflowId()
	case e.GetWorkflowExecutionContinuedAsNewEventAttributes() != nil:
		a := e.GetWorkflowExecutionContinuedAsNewEventAttributes()
		r.id, r.data = a.GetWorkflowType().GetName(), a.GetInput()
	case e.GetWorkflowExecutionCompletedEventAttributes() != nil:
		r.data = e.GetWorkflowExecutionCompletedEventAttributes().GetResult()
	case e.GetWorkflowExecutionFailedEventAttributes() != nil:
		r.data = e.GetWorkflowExecutionFailedEventAttributes().GetFailure()
	case e.GetWorkflowExecutionCanceledEventAttributes() != nil:
		r.data = e.GetWorkflowExecutionCanceledEventAttributes().GetDetails()
	case e.GetWorkflowPropertiesModifiedEventAttributes() != nil:
		r.data = e.GetWorkflowPropertiesModifiedEventAttributes().GetUpsertedMemo()
	}
	return r
}

// commandOf is the type of command that an event comes of.
func commandOf(event enumspb.EventType) string {
	switch event {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		return enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK.String()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
		return enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK.String()
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		return enumspb.COMMAND_TYPE_START_TIMER.String()
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		return enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		return enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		return enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		return enumspb.COMMAND_TYPE_RECORD_MARKER.String()
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		return enumspb.COMMAND_TYPE_CANCEL_TIMER.String()
	case enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:
		return enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES.String()
	case enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		return enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES.String()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		return enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION.String()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		return enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE.String()
	default:
		return strings.ToLower(event.String())
	}
}
