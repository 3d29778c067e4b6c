package engine

import (
	"time"

	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// run is what a describe says of a task's run.
type run struct {
	project, id, runID string
	status             enumspb.WorkflowExecutionStatus
	started            time.Time
	closed             time.Time
	cancelRequested    bool
	memo               *workflows.TaskMemo // nil for a run that was started without one
	state              *workflows.TaskState
	settled            bool // its outcome is settled: it is open until its story is in the log
	pending            *attempt
	finding            *finding
}

// finding is the look for an agent that a run waits for.
type finding struct {
	stage, number int
	since         time.Time
	nobody        bool // there was none when it looked
}

// attempt is the attempt a run waits for, as its pending activity shows it.
type attempt struct {
	stage, number int
	scheduled     time.Time
	paused        bool // by an operator, and nobody has it
	taken         bool // by a worker
	takenAt       time.Time
	worker        string
	report        *activities.AttemptReport // of the last heartbeat
	queue         string                    // "" when it is not known
}

func (e *Engine) decodeRun(resp *workflowservice.DescribeWorkflowExecutionResponse) (run, error) {
	info := resp.GetWorkflowExecutionInfo()
	r := run{
		runID: info.GetExecution().GetRunId(), status: info.GetStatus(),
		started: info.GetStartTime().AsTime(), closed: info.GetCloseTime().AsTime(),
		cancelRequested: resp.GetWorkflowExtendedInfo().GetCancelRequested(),
	}
	if info.GetType().GetName() != workflows.TaskWorkflow {
		return r, sdk.Errorf(sdk.CodeNotFound, "there is no such task in this project")
	}
	if memo, err := memoField[workflows.TaskMemo](e, info.GetMemo(), workflows.MemoTask); err != nil {
		return r, err
	} else if memo != nil {
		r.memo = memo
	}
	state, err := memoField[workflows.TaskState](e, info.GetMemo(), workflows.MemoState)
	if err != nil {
		return r, err
	}
	r.state = state
	var status sdk.Status
	attribute(info.GetSearchAttributes(), workflows.AttrStatus.GetName(), &status)
	r.settled = status.Terminal()
	for _, activity := range resp.GetPendingActivities() {
		if a, ok := e.decodeAttempt(activity); ok {
			r.pending = a
		} else if f, ok := e.decodeFinding(activity); ok {
			r.finding = f
		}
	}
	return r, nil
}

func memoField[T any](e *Engine, memo *commonpb.Memo, name string) (*T, error) {
	p, ok := memo.GetFields()[name]
	if !ok {
		return nil, nil
	}
	value := new(T)
	if err := e.cfg.DataConverter.FromPayload(p, value); err != nil {
		return nil, sdk.Errorf(sdk.CodeInternal, "the memo %s can not be read: %v", name, err)
	}
	return value, nil
}

func (e *Engine) decodeAttempt(p *workflowpb.PendingActivityInfo) (*attempt, bool) {
	if p.GetActivityType().GetName() != activities.ExecuteTaskName {
		return nil, false
	}
	stage, number, ok := activities.ParseAttemptID(p.GetActivityId())
	if !ok {
		return nil, false
	}
	a := &attempt{
		stage: stage, number: number, queue: p.GetActivityOptions().GetTaskQueue().GetName(), scheduled: p.GetScheduledTime().AsTime(), worker: p.GetLastWorkerIdentity(),
		paused: p.GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSED,
		taken: p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED ||
			p.GetState() == enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED ||
			p.GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED,
	}
	if p.GetLastStartedTime() == nil {
		a.taken = false
	} else {
		a.takenAt = p.GetLastStartedTime().AsTime()
	}
	if details := p.GetHeartbeatDetails(); a.taken && len(details.GetPayloads()) > 0 {
		report := activities.AttemptReport{}
		if e.cfg.DataConverter.FromPayloads(details, &report) == nil { // a foreign worker may send anything
			a.report = &report
		}
	}
	if a.report == nil && a.worker == leaseIdentity { // polled for agents; none has it before its heartbeat is there
		a.taken = false
	}
	return a, true
}

func (e *Engine) decodeFinding(p *workflowpb.PendingActivityInfo) (*finding, bool) {
	if p.GetActivityType().GetName() != activities.FindAgentName {
		return nil, false
	}
	stage, number, ok := activities.ParseFindID(p.GetActivityId())
	if !ok {
		return nil, false
	}
	f := &finding{stage: stage, number: number, since: p.GetScheduledTime().AsTime()}
	var report activities.FindAgentReport
	if details := p.GetHeartbeatDetails(); len(details.GetPayloads()) > 0 && e.cfg.DataConverter.FromPayloads(details, &report) == nil {
		f.nobody = report.Nobody
	}
	return f, true
}
