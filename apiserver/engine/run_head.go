package engine

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
)

// runHead is what Temporal says of a run, whatever it runs.
type runHead struct {
	project, id, runID string
	status             enumspb.WorkflowExecutionStatus
	started, closed    time.Time
}

func headOf(project, id string, info *workflowpb.WorkflowExecutionInfo) runHead {
	return runHead{
		project: project, id: id, runID: info.GetExecution().GetRunId(), status: info.GetStatus(),
		started: info.GetStartTime().AsTime(), closed: info.GetCloseTime().AsTime(),
	}
}

// isOpen reports whether the run goes on.
func (r runHead) isOpen() bool {
	_, ended := endedStatus(r.status)
	return !ended
}

// attribute reads a search attribute of a run. One that is not there, or is no such value, says nothing.
func attribute(of *commonpb.SearchAttributes, name string, into any) {
	if p, ok := of.GetIndexedFields()[name]; ok {
		_ = converter.GetDefaultDataConverter().FromPayload(p, into)
	}
}

// firstInput is what a run was started with.
func firstInput[In any](ctx context.Context, e *Engine, workflowID, runID string) (in In, err error) {
	resp, err := e.temporal.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: e.cfg.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID}, MaximumPageSize: 1,
	})
	if err != nil {
		return in, err
	}
	events := resp.GetHistory().GetEvents()
	if len(events) == 0 {
		return in, sdk.Errorf(sdk.CodeInternal, "the run %s has no first event", runID)
	}
	if err := e.cfg.DataConverter.FromPayloads(events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
		return in, sdk.Errorf(sdk.CodeInternal, "the input of run %s can not be read: %v", runID, err)
	}
	return in, nil
}
